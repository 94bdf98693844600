"""Reviews: a person approves the very revision that would go live, or ends its run.

The event that ends the wait says only that somebody spoke. Publish goes by the approval's row,
which is written here, under the lock of the instance, for one revision in one generation.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import Exists, F, Func, OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast

from lanes.review import EVENT
from publishing.models import Approval, Brief, Review, Revision
from publishing.payloads import Persisted
from workflows import verbs
from workflows.contracts import Contract
from workflows.errors import NonRetryableError, VerbRefusedError
from workflows.events import send_event
from workflows.graphs import StepEntry, WaitEntry, load_plan
from workflows.listing import entry_name
from workflows.models import Instance, Reason, Status, StepRecord

Output = TypeVar("Output", bound=Contract)


class UnapprovedError(NonRetryableError):
    """Nobody approved the revision that would go live; nothing was published."""


@transaction.atomic
def approve(instance_id: str, revision: int, *, actor: str, note: str = "") -> bool:
    """Let the revision go live; return False if it was approved in this generation already.

    Args:
        instance_id: the whole ID.
        revision: primary key of the one that the reviewer has read.
        actor: who approves.
        note: kept with the approval and in the event log.

    Raises:
        UnknownInstanceError: no such instance.
        VerbRefusedError: it does not wait for a review, or another revision would be published
            by now; nothing changed.
    """
    instance = verbs.get_instance(instance_id, lock=True)
    if _approvals(instance).filter(revision=revision).exists():
        return False
    _refuse_other("approve", instance, revision)
    send_event(
        instance_id,
        EVENT,
        {"revision": revision},
        sender=actor,
        key=f"approval-{instance.generation}-{revision}",
        generation=instance.generation,
        why=note,
    )
    Approval.objects.create(
        revision_id=revision, generation=instance.generation, actor=actor, note=note
    )
    return True


@transaction.atomic
def reject(instance_id: str, revision: int, *, actor: str, note: str) -> bool:
    """End the run for good; return False if it was terminated already.

    Raises:
        UnknownInstanceError: no such instance.
        VerbRefusedError: no reason, or as `approve`; or it was just approved. Nothing changed.
    """
    if not note.strip():
        raise VerbRefusedError("reject: it ends the run for good, so say why; nothing changed")
    instance = verbs.get_instance(instance_id, lock=True)
    if instance.status == Status.TERMINATED:
        return False
    _refuse_other("reject", instance, revision)
    approval = _approvals(instance).filter(revision=revision).first()
    if approval is not None:
        raise VerbRefusedError(
            f"reject: {instance_id} was approved by {approval.actor}; withdraw its article once "
            "it is live. Nothing changed"
        )
    return verbs.terminate(instance_id, actor=actor, why=f"rejected revision {revision}: {note}")


def refuse_unapproved(brief: Brief, revision: int) -> None:
    """Refuse to publish what waited for a review and was not approved in it.

    Called in the transaction that publishes. A wait that was passed because nothing was flagged,
    or that a graph lets end without an event, asks for no approval.

    Raises:
        UnapprovedError: with the way out.
    """
    instance = Instance.objects.select_related("graph").get(pk=brief.instance_id)
    waits = [entry_name(entry) for entry in instance.graph.entries if entry.get("wait") == EVENT]
    if not waits:
        return
    for record in instance.records.filter(entry__in=waits, superseded=False):
        event = record.output.get("event")
        approved = Approval.objects.filter(revision=revision, generation=record.generation)
        if event is not None and not approved.exists():
            raise UnapprovedError(
                f"revision {revision} was not approved: {event['sender']} sent an event of type "
                f"{EVENT}, and no reviewer approved this revision in generation "
                f"{record.generation}. Nothing was published; restart {instance.instance_id} from "
                f"{record.entry} and approve it at the review desk",
                data={"revision": revision, "event": event},
            )


def waiting_reviews() -> QuerySet[Review]:
    """Return the articles that wait for a review, each with its newest title, flags and time."""
    newest = Revision.objects.filter(article=OuterRef("pk")).order_by("-number")
    approved = Approval.objects.filter(
        revision__article=OuterRef("pk"), generation=OuterRef("brief__instance__generation")
    )
    told = StepRecord.objects.filter(
        instance=OuterRef("brief__instance"), superseded=False, output__has_key="flags"
    )
    return (
        Review.objects.select_related("lane", "brief__instance")
        .defer("brief__payload", "brief__embedding")
        .filter(brief__instance__status=Status.WAITING, brief__instance__reason=Reason.EVENT)
        .annotate(
            awaited=Func(
                F("brief__instance__graph__entries"),
                Cast("brief__instance__position", TextField()),
                Value("wait"),
                function="jsonb_extract_path_text",
                output_field=TextField(),
            ),
            title=Subquery(newest.values("title")[:1]),
            written_at=Subquery(newest.values("created_at")[:1]),
            flag_lists=ArraySubquery(told.order_by("position").values("output__flags")),
        )
        .filter(~Exists(approved), awaited=EVENT)
    )


def flags_of(instance: Instance) -> list[str]:
    """Return every reason that a step gave why a person should look, each once."""
    live = instance.records.filter(superseded=False, output__has_key="flags")
    return once(live.order_by("position").values_list("output__flags", flat=True))


def once(lists: Iterable[Sequence[object] | None]) -> list[str]:
    """Return the flags of several outputs in their order, each once."""
    flags = (str(flag) for told in lists for flag in told or ())
    return list(dict.fromkeys(flags))


def is_in_review(instance: Instance) -> bool:
    """Say whether the instance stands at a wait for an approval."""
    if instance.status != Status.WAITING or instance.reason != Reason.EVENT:
        return False
    entry = load_plan(instance.graph_id, instance.workflow).entries[instance.position]
    return isinstance(entry, WaitEntry) and entry.type == EVENT


def latest_output(instance: Instance, contract: type[Output]) -> Output | None:
    """Return the newest recorded output of the contract before the entry that it stands at.

    Raises:
        ContractError: this code cannot run the instance's graph.
    """
    plan = load_plan(instance.graph_id, instance.workflow)
    names = [
        entry.name
        for entry in plan.entries[: instance.position]
        if isinstance(entry, StepEntry) and issubclass(entry.output, contract)
    ]
    live = instance.records.filter(entry__in=names, superseded=False).order_by("-position")
    record = live.first()
    return contract.model_validate(record.output) if record else None


def _approvals(instance: Instance) -> QuerySet[Approval]:
    return Approval.objects.filter(
        revision__article__brief__instance=instance, generation=instance.generation
    )


def _refuse_other(verb: str, instance: Instance, revision: int) -> None:
    """Refuse unless the instance waits for a review of this very revision."""
    if not is_in_review(instance):
        state = Status(instance.status).label
        raise VerbRefusedError(
            f"{verb}: {instance.instance_id} is {state} and waits for no review; nothing changed"
        )
    persisted = latest_output(instance, Persisted)
    if persisted is None or persisted.revision != revision:
        current = "none" if persisted is None else f"revision {persisted.revision}"
        raise VerbRefusedError(
            f"{verb}: {instance.instance_id} would publish {current} by now, not revision "
            f"{revision} that you read; open its page again. Nothing changed"
        )
