"""The operators' verbs: one function for admin, command and API, safe twice at once."""

from typing import Any

from django.db import connection, transaction
from psycopg.types.json import Jsonb

from workflows.errors import UnknownInstanceError, VerbRefusedError
from workflows.graphs import load_plan
from workflows.models import Instance, Status
from workflows.statements import verbs as statements
from workflows.workers import call_for_drain


def retry(instance_id: str, *, actor: str, why: str = "") -> None:
    """Try the failed step again, now, with its whole retry policy; finished steps stay.

    Of a waiting instance (not of one that sleeps until its moment) the wait is cut short.

    Raises:
        UnknownInstanceError: no such instance.
        VerbRefusedError: its state has nothing to retry; nothing changed.
    """
    _apply(
        statements.RETRY,
        instance_id,
        verb="retry",
        actor=actor,
        why=why,
        what="has nothing to retry",
    )


@transaction.atomic
def restart(
    instance_id: str,
    *,
    actor: str,
    why: str = "",
    entry: str | None = None,
    generation: int | None = None,
) -> None:
    """Begin a new generation, whole or from an entry on, under the same envelope.

    Earlier records and attempts are kept; from the entry on they are superseded.

    Args:
        instance_id: the whole ID.
        actor: who asks.
        why: kept in the event log.
        entry: the first entry that runs again; None for the graph's first.
        generation: the one that the caller has seen; of two who saw the same, one restarts.

    Raises:
        UnknownInstanceError: no such instance.
        ContractError: the graph has no such entry.
        VerbRefusedError: the entry was not reached yet, or somebody restarted it meanwhile;
            nothing changed.
    """
    # Locked in a statement of its own: what a running step has just recorded is seen after it.
    instance = _get(instance_id, lock=True)
    if generation is not None and generation != instance.generation:
        raise VerbRefusedError(
            f"restart: {instance_id} was restarted meanwhile, and is in generation "
            f"{instance.generation}; nothing changed"
        )
    position = 0
    if entry is not None:
        position = load_plan(instance.graph_id, instance.workflow).position_of(entry)
    _apply(
        statements.RESTART,
        instance_id,
        verb="restart",
        actor=actor,
        why=why,
        what=f"cannot restart from {entry or 'its first entry'}, which it has not reached",
        details={"from": entry},
        position=position,
    )


def terminate(instance_id: str, *, actor: str, why: str = "") -> None:
    """End the instance for good; what its running step still writes is refused.

    Raises:
        UnknownInstanceError: no such instance.
        VerbRefusedError: it has ended already; nothing changed.
    """
    _apply(
        statements.TERMINATE,
        instance_id,
        verb="terminate",
        actor=actor,
        why=why,
        what="has ended already",
    )


def _apply(
    statement: str,
    instance_id: str,
    *,
    verb: str,
    actor: str,
    why: str,
    what: str,
    details: dict[str, Any] | None = None,
    **parameters: object,
) -> None:
    bound: dict[str, Any] = {
        "instance_id": instance_id,
        "verb": verb,
        "actor": actor,
        "why": why,
        "details": Jsonb(details) if details else None,
        **parameters,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, bound)
        done = cursor.fetchone()
        if done:
            transaction.on_commit(call_for_drain)
    if not done:
        instance = _get(instance_id)
        raise VerbRefusedError(
            f"{verb}: {instance_id} is {Status(instance.status).label} and {what}; nothing changed"
        )


def _get(instance_id: str, *, lock: bool = False) -> Instance:
    instances = Instance.objects.select_for_update(no_key=True) if lock else Instance.objects
    try:
        return instances.get(instance_id=instance_id)
    except Instance.DoesNotExist:
        raise UnknownInstanceError(instance_id) from None
