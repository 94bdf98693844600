"""Bulk operations: one verb for every instance that a filter finds, in the background.

An operation is a row; an instance of the workflow `bulk` applies it page by page. Each page's
verbs and the row's progress commit together, so that a crash repeats no verb and counts none twice.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from workflows.contracts import Contract, StepContext
from workflows.dispatch import create_instance
from workflows.errors import (
    NonRetryableError,
    OrderError,
    Park,
    VerbRefusedError,
    WorkflowError,
)
from workflows.events import send_event
from workflows.graphs import store_graph
from workflows.listing import Filter
from workflows.models import BulkOperation, Instance, Trigger
from workflows.payloads import dumps
from workflows.registry import Retention, register_workflow, step
from workflows.retries import RetryPolicy
from workflows.verbs import pause, restart, resume, retry, terminate

WORKFLOW = "bulk"
ENTRIES = [{"step": "bulk_apply"}]
PAGE = 100  # instances a transaction
REFUSALS_KEPT = 20
SPARE = timedelta(seconds=30)  # before its deadline an attempt leaves the rest to the next one


class BulkOrder(Contract):
    """Which operation to apply."""

    operation: int


class BulkResult(Contract):
    """How it ended."""

    state: str
    done: int
    unchanged: int
    refused: int


register_workflow(
    WORKFLOW,
    provides={BulkOrder: lambda envelope: BulkOrder.model_validate(envelope)},
    retention=Retention(success=timedelta(days=90), error=timedelta(days=90)),
)

VERBS: dict[str, Callable[..., bool]] = {
    "retry": retry,
    "pause": pause,
    "resume": resume,
    "terminate": terminate,
    "restart": restart,
    "send-event": send_event,
}


@dataclass(frozen=True)
class BulkVerb:
    """A verb with what it needs beyond the instance.

    Attributes:
        name: retry, pause, resume, terminate, restart or send-event.
        entry: of a restart: the first entry that runs again; None for the graph's first.
        event: of send-event: the type.
        payload: of send-event: JSON.
    """

    name: str
    entry: str | None = None
    event: str | None = None
    payload: Any = None


@transaction.atomic
def start_bulk(
    verb: BulkVerb,
    filter: Filter,  # noqa: A002 - the field's word
    *,
    actor: str,
    why: str = "",
    trigger: str = Trigger.COMMAND,
) -> BulkOperation:
    """Order a verb for all instances that the filter finds now; workers apply it.

    Args:
        verb: what to do.
        filter: which; instances that are created later are left alone.
        actor: who asks.
        why: kept in the event log of each.
        trigger: api, command or admin.

    Raises:
        OrderError: no such verb, or send-event without a type; nothing was ordered.
        PayloadError: the payload cannot be stored.
    """
    if verb.name not in VERBS:
        raise OrderError(f"no bulk verb is {verb.name!r}; there are {', '.join(VERBS)}")
    if (verb.name == "send-event") != (verb.event is not None):
        raise OrderError("send-event, and nothing else, names the event to send")
    dumps(verb.payload, what=f"the payload of {verb.name}")
    found = filter.instances()
    operation = BulkOperation.objects.create(
        verb=verb.name,
        parameters=asdict(verb),
        filter=filter.as_json(),
        actor=actor,
        why=why,
        total=found.count(),
        newest=found.aggregate(newest=Max("pk"))["newest"] or 0,
    )
    create_instance(
        workflow=WORKFLOW,
        key=str(operation.pk),
        partition=WORKFLOW,
        graph=store_graph(ENTRIES, workflow=WORKFLOW).pk,
        envelope={"operation": operation.pk},
        trigger=trigger,
    )
    return operation


def stop_bulk(operation: int) -> bool:
    """Stop an operation after the page that it is at; return False if it had ended."""
    going = BulkOperation.objects.filter(pk=operation, state=BulkOperation.State.GOING)
    stopped = going.update(state=BulkOperation.State.STOPPED, finished_at=timezone.now())
    return bool(stopped)


@step("bulk_apply", policy=RetryPolicy(retries=20, delay=timedelta(seconds=5)))
def apply_bulk(order: BulkOrder, context: StepContext) -> BulkResult:
    """Apply page after page until the operation is done or stopped.

    An attempt that nears its deadline is put aside and goes on at once, where it stood.
    """
    while (operation := _apply_page(order.operation)).state == BulkOperation.State.GOING:
        if datetime.now(UTC) > context.deadline - SPARE:
            raise Park("busy", "goes on with the next pages", until=datetime.now(UTC))
    return BulkResult(
        state=operation.state,
        done=operation.done,
        unchanged=operation.unchanged,
        refused=operation.refused,
    )


@transaction.atomic
def _apply_page(pk: int) -> BulkOperation:
    """Apply the verb to the next page and note how far it is, in one transaction."""
    operation = BulkOperation.objects.select_for_update().filter(pk=pk).first()
    if operation is None:
        raise NonRetryableError(f"bulk operation {pk} is gone; order it again")
    if operation.state != BulkOperation.State.GOING:
        return operation
    page = Filter.model_validate(operation.filter).instances()
    rows = list(
        page.filter(pk__gt=operation.cursor, pk__lte=operation.newest).order_by("pk")[:PAGE]
    )
    for instance in rows:
        _apply_to(operation, instance)
    operation.cursor = rows[-1].pk if rows else operation.newest
    if not rows:
        operation.state, operation.finished_at = BulkOperation.State.DONE, timezone.now()
    operation.save()
    return operation


def _apply_to(operation: BulkOperation, instance: Instance) -> None:
    try:
        with transaction.atomic():
            changed = _call(operation, instance)
    except VerbRefusedError as error:
        operation.refused += 1
        if len(operation.refusals) < REFUSALS_KEPT:
            operation.refusals.append(str(error))
    except WorkflowError as error:
        operation.refused += 1
        if len(operation.refusals) < REFUSALS_KEPT:
            operation.refusals.append(f"{instance.instance_id}: {error}")
    else:
        operation.done += changed
        operation.unchanged += not changed


def _call(operation: BulkOperation, instance: Instance) -> bool:
    instance_id, asked = str(instance.instance_id), operation.parameters
    if operation.verb == "send-event":
        return send_event(
            instance_id,
            asked["event"],
            asked["payload"],
            sender=operation.actor,
            key=f"bulk-{operation.pk}",
            why=operation.why,
        )
    more: dict[str, Any] = {}
    if operation.verb == "restart":
        more = {"entry": asked["entry"], "generation": instance.generation}
    return VERBS[operation.verb](instance_id, actor=operation.actor, why=operation.why, **more)
