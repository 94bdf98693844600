"""What people and programs do to an instance, by the statement that it comes down to."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import transaction

from tests.trial.stages import ENTRIES
from workflows import verbs
from workflows.bulk import BulkOrder, apply_bulk
from workflows.contracts import StepContext
from workflows.dispatch import Order, create_instance, create_instances
from workflows.events import send_event
from workflows.graphs import store_graph
from workflows.models import Status
from workflows.statements import execute
from workflows.statements.drains import FORGET_OLD
from workflows.statements.pruning import PRUNE
from workflows.workers import call_for_drain


def _order(instance_id: str) -> Order:
    graph = store_graph(ENTRIES, workflow="trial").pk
    return Order("trial", instance_id.removeprefix("trial-"), "p", graph, {"marks": ""}, "api")


def _create(instance_id: str) -> None:
    order = _order(instance_id)
    create_instance(
        workflow=order.workflow,
        key=order.key,
        partition=order.partition,
        graph=order.graph,
        envelope=order.envelope,
        trigger=order.trigger,
    )


def _create_many(instance_id: str) -> None:
    orders = [_order(instance_id), _order(f"{instance_id}-twin")]
    create_instances(orders)


def _replace(instance_id: str) -> None:
    verbs.replace_output(instance_id, "trial_first", {"said": "another"}, actor="ann")


def _prune(instance_id: str) -> None:
    parameters = {"workflow": "trial", "ended": [int(Status.COMPLETE)], "age": timedelta(0)}
    with transaction.atomic():
        execute(PRUNE, parameters | {"limit": 10})


ACTS: dict[str, Callable[[str], object]] = {
    "create.create": _create,
    "create.create_many": _create_many,
    "events.send": lambda name: send_event(name, "approval", 7, sender="ann", key="once"),
    "pruning.prune": _prune,
    "verbs.retry": lambda name: verbs.retry(name, actor="ann"),
    "verbs.restart": lambda name: verbs.restart(name, actor="ann", generation=1),
    "verbs.terminate": lambda name: verbs.terminate(name, actor="ann"),
    "verbs.pause": lambda name: verbs.pause(name, actor="ann"),
    "verbs.resume": lambda name: verbs.resume(name, actor="ann"),
    "verbs.replace_output": _replace,
    "verbs.record_replaced": _replace,
    "drains.call": lambda name: call_for_drain(),
    "drains.forget_old": lambda name: execute(FORGET_OLD, {}),
}

# Of the name of an operation, not of a statement.
BULK: dict[str, Callable[[str], object]] = {"bulk": lambda name: apply_bulk(*_bulk(int(name)))}


def _bulk(operation: int) -> tuple[BulkOrder, StepContext]:
    context = StepContext(
        instance_id=f"bulk-{operation}",
        key=str(operation),
        entry="bulk_apply",
        generation=1,
        attempt=1,
        deadline=datetime.now(UTC) + timedelta(minutes=10),
        drain=0,
    )
    return BulkOrder(operation=operation), context
