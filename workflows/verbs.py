"""The operators' verbs: one function for admin, command and API, safe twice at once.

Each returns whether it changed anything: False means that what was asked for is so already. What
a state does not allow is refused, in words for people. What it did is one line of the event log.
"""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from psycopg.types.json import Jsonb

from workflows.errors import UnknownInstanceError, VerbRefusedError
from workflows.graphs import StepEntry, load_plan
from workflows.models import Instance, Reason, Status
from workflows.payloads import dumps
from workflows.runs import parse_output
from workflows.statements import Statement, execute
from workflows.statements import verbs as statements
from workflows.workers import call_for_drain


def retry(instance_id: str, *, actor: str, why: str = "") -> bool:
    """Try the failed step again, now, with its whole retry policy; finished steps stay.

    Of a waiting instance (not of one that sleeps or waits for an event) the wait is cut short.

    Raises:
        UnknownInstanceError: no such instance.
        VerbRefusedError: its state has nothing to retry; nothing changed.
    """
    return _apply(statements.RETRY, instance_id, "retry", actor, why, judge=_judge_retry)


def pause(instance_id: str, *, actor: str, why: str = "") -> bool:
    """Let the instance stand still; a step that runs now finishes first.

    Raises:
        UnknownInstanceError: no such instance.
        VerbRefusedError: it has ended; nothing changed.
    """
    return _apply(statements.PAUSE, instance_id, "pause", actor, why, judge=_judge_pause)


def resume(instance_id: str, *, actor: str, why: str = "") -> bool:
    """Let a paused instance go on where it stood; a sleep keeps its end.

    Raises:
        UnknownInstanceError: no such instance.
        VerbRefusedError: it has ended; nothing changed.
    """
    return _apply(statements.RESUME, instance_id, "resume", actor, why, judge=_judge_pause)


def terminate(instance_id: str, *, actor: str, why: str = "") -> bool:
    """End the instance for good; what its running step still writes is refused.

    Raises:
        UnknownInstanceError: no such instance.
        VerbRefusedError: it is complete; nothing changed.
    """
    return _apply(
        statements.TERMINATE, instance_id, "terminate", actor, why, judge=_judge_terminate
    )


@transaction.atomic
def restart(
    instance_id: str,
    *,
    actor: str,
    generation: int,
    entry: str | None = None,
    why: str = "",
) -> bool:
    """Begin a new generation, whole or from an entry on, under the same envelope.

    Earlier records and attempts are kept; from the entry on they are superseded.

    Args:
        instance_id: the whole ID.
        actor: who asks.
        generation: the one that the caller has seen; of two who saw the same, one restarts.
        entry: the first entry that runs again; None for the graph's first.
        why: kept in the event log.

    Raises:
        UnknownInstanceError: no such instance.
        ContractError: the graph has no such entry.
        VerbRefusedError: the entry was not reached yet, or somebody restarted it meanwhile;
            nothing changed.
    """
    # Locked in a statement of its own: what a running step has just recorded is seen after it.
    instance = get_instance(instance_id, lock=True)
    position = 0
    if entry is not None:
        position = load_plan(instance.graph_id, instance.workflow).position_of(entry)

    def judge(instance: Instance) -> str:
        if instance.generation != generation:
            return f"was restarted meanwhile: it is in generation {instance.generation}"
        return f"has not reached {entry} yet, and cannot restart from it"

    return _apply(
        statements.RESTART,
        instance_id,
        "restart",
        actor,
        why,
        judge=judge,
        details={"from": entry},
        position=position,
        generation=generation,
    )


@transaction.atomic
def replace_output(instance_id: str, entry: str, output: Any, *, actor: str, why: str = "") -> bool:
    """Let the remaining steps read another output of a finished entry; the first one is kept.

    Args:
        instance_id: the whole ID.
        entry: the name of an entry that has a record.
        output: JSON that fits the contract that this code's step returns.
        actor: who asks.
        why: kept in the event log.

    Raises:
        UnknownInstanceError: no such instance.
        ContractError: no such step, or the output does not fit; with the JSON path.
        PayloadError: the output cannot be stored.
        VerbRefusedError: it runs, has ended for good, or the entry has no record; nothing changed.
    """
    instance = get_instance(instance_id, lock=True)
    plan = load_plan(instance.graph_id, instance.workflow)
    chosen = plan.entries[plan.position_of(entry)]
    if not isinstance(chosen, StepEntry):
        raise VerbRefusedError(f"replace-output: {entry} of {instance_id} is a wait, not a step")
    dumps(output, what=f"the output of {entry}")
    # Stored as this code would record it: defaults filled in, nothing unknown.
    fitting = parse_output(entry, chosen.output, output).model_dump(mode="json")
    if instance.status in (Status.RUNNING, Status.COMPLETE, Status.TERMINATED) or (
        instance.pruned_at is not None
    ):
        raise _refused("replace-output", instance, "keeps its outputs: pause or restart it first")
    if not instance.records.filter(entry=entry, superseded=False).exists():
        raise _refused("replace-output", instance, f"has no output of {entry} yet")
    parameters = {"instance_id": instance_id, "entry": entry, "output": Jsonb(fitting)}
    replaced = execute(statements.REPLACE_OUTPUT, parameters)
    if not replaced:
        return False
    bound = _bound("replace-output", instance_id, actor, why, {"entry": entry})
    execute(
        statements.RECORD_REPLACED,
        bound | {"output": Jsonb(fitting), "record": replaced[0][0]},
    )
    return True


def get_instance(instance_id: str, *, lock: bool = False) -> Instance:
    """Return the instance, locked if so asked.

    Raises:
        UnknownInstanceError: no instance has the ID.
    """
    instances = Instance.objects.select_for_update(no_key=True) if lock else Instance.objects
    try:
        return instances.get(instance_id=instance_id.replace("\x00", ""))
    except Instance.DoesNotExist:
        raise UnknownInstanceError(instance_id) from None


def _apply(
    statement: Statement,
    instance_id: str,
    verb: str,
    actor: str,
    why: str,
    *,
    judge: Callable[[Instance], str],
    details: dict[str, Any] | None = None,
    **parameters: object,
) -> bool:
    """Run the verb's statement; if it changed nothing, say why, or that it was so already.

    Args:
        judge: words that say why the instance's state refuses the verb; empty where it is as
            asked already.
    """
    with transaction.atomic():
        done = execute(statement, _bound(verb, instance_id, actor, why, details) | parameters)
        if done:
            transaction.on_commit(call_for_drain)
            return True
    instance = get_instance(instance_id)
    words = "was pruned: nothing of it is left to act on" if instance.pruned_at else judge(instance)
    if words:
        raise _refused(verb, instance, words)
    return False


def _bound(
    verb: str, instance_id: str, actor: str, why: str, details: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "instance_id": instance_id,
        "verb": verb,
        "actor": actor,
        "why": why,
        "details": Jsonb(details) if details else None,
    }


def _refused(verb: str, instance: Instance, words: str) -> VerbRefusedError:
    state = Status(instance.status).label
    return VerbRefusedError(
        f"{verb}: {instance.instance_id} is {state} and {words}; nothing changed"
    )


def _judge_retry(instance: Instance) -> str:
    if instance.reason == Reason.EVENT:
        return "waits for an event: send it, or terminate the instance"
    if instance.reason == Reason.SLEEP:
        return "sleeps until its moment"
    return "has nothing to retry"


def _judge_pause(instance: Instance) -> str:
    return "has ended" if instance.status >= Status.ERRORED else ""


def _judge_terminate(instance: Instance) -> str:
    return "" if instance.status == Status.TERMINATED else "has ended already"
