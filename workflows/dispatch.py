"""Create instances, at most once per ID, for ever."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, transaction
from psycopg.errors import LockNotAvailable
from psycopg.types.json import Jsonb

from workflows.errors import (
    CreateBusyError,
    DuplicateInstanceError,
    OrderError,
    WorkflowError,
)
from workflows.models import Trigger
from workflows.payloads import dumps
from workflows.registry import get_workflow
from workflows.statements import execute
from workflows.statements.create import CREATE, CREATE_MANY, WAIT_BRIEFLY
from workflows.workers import call_for_drain

KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
PARTITION_CHARACTERS_MAX = 60
BATCH = 500  # instances a statement


@dataclass(frozen=True)
class Order:
    """What one instance is to be.

    Attributes:
        workflow: name of a registered workflow.
        key: what the sender calls it; nothing is added to it.
        partition: on which limits and fairness act.
        graph: primary key of the stored graph that it will run.
        envelope: JSON object frozen for the whole run, at most 1 MiB.
        trigger: what asks for it; a word of `workflows.models.Trigger`.
    """

    workflow: str
    key: str
    partition: str
    graph: int
    envelope: dict[str, Any]
    trigger: str

    @property
    def instance_id(self) -> str:
        """The ID that the database will mint."""
        return f"{self.workflow}-{self.key}"


@dataclass(frozen=True)
class Created:
    """What became of one order of a batch.

    Attributes:
        pk: of the new instance; None if there is an error.
        error: DuplicateInstanceError, OrderError or PayloadError; None if it was created.
    """

    order: Order
    pk: int | None
    error: WorkflowError | None = None


def create_instance(
    *, workflow: str, key: str, partition: str, graph: int, envelope: dict[str, Any], trigger: str
) -> int:
    """Create `{workflow}-{key}` in the caller's transaction and return its row's primary key.

    The row is the wake-up: standing drains look for it. A drain is called for on commit only
    where none stands. The arguments are those of `Order`.

    Raises:
        DuplicateInstanceError: the ID is taken, by whatever workflow state; nothing changed.
        CreateBusyError: a twin held the ID uncommitted for 2 s; nothing changed.
        OrderError, PayloadError: the order cannot be stored; nothing changed.
    """
    order = Order(workflow, key, partition, graph, envelope, trigger)
    parameters = _columns(order) | {"envelope": Jsonb(order.envelope)}
    with _waiting_briefly(order.instance_id):
        rows = execute(CREATE, parameters)
    if not rows:
        raise DuplicateInstanceError(order.instance_id)
    transaction.on_commit(call_for_drain)
    made: int = rows[0][0]
    return made


def create_instances(orders: Sequence[Order]) -> list[Created]:
    """Create many in the caller's transaction; a bad or repeated one leaves the others be.

    Returns:
        one result for each order, in their order. Of equal IDs in one batch the first is created.

    Raises:
        CreateBusyError: a twin held one of the IDs uncommitted for 2 s; nothing was created.
    """
    results: dict[int, Created] = {}
    good: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
    for number, order in enumerate(orders):
        try:
            columns = _columns(order)
        except WorkflowError as error:
            results[number] = Created(order, None, error)
            continue
        good.setdefault((order.workflow, order.key), (number, columns))
    with transaction.atomic():
        made = dict(_insert([columns for _, columns in good.values()]))
    for number, order in enumerate(orders):
        name = (order.workflow, order.key)
        if number not in results:
            pk = made.get(name) if good[name][0] == number else None
            taken = None if pk else DuplicateInstanceError(order.instance_id)
            results[number] = Created(order, pk, taken)
    if made:
        transaction.on_commit(call_for_drain)
    return [results[number] for number in range(len(orders))]


def _insert(columns: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, str], int]]:
    # In one order everywhere: batches with the same keys wait for each other, none deadlocks.
    ordered = sorted(columns, key=lambda row: f"{row['workflow']}-{row['key']}")
    for start in range(0, len(ordered), BATCH):
        rows = ordered[start : start + BATCH]
        parameters = {f"{name}s": [row[name] for row in rows] for name in _NAMES}
        parameters["envelopes"] = [row["text"] for row in rows]
        parameters["payload_hashes"] = [row["payload_hash"] for row in rows]
        with _waiting_briefly(f"{len(rows)} instances from {rows[0]['key']}"):
            for workflow, key, pk in execute(CREATE_MANY, parameters):
                yield (workflow, key), pk


_NAMES = ("workflow", "key", "partition", "graph", "trigger")


class _waiting_briefly:  # noqa: N801 - reads as what it does
    """A savepoint in which a lock is waited for 2 s, and its refusal is told as what it is."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._atomic = transaction.atomic()

    def __enter__(self) -> None:
        self._atomic.__enter__()
        execute(WAIT_BRIEFLY, {})

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self._atomic.__exit__(kind, error, traceback)
        if isinstance(error, OperationalError) and isinstance(error.__cause__, LockNotAvailable):
            raise CreateBusyError(self._what) from None


def _columns(order: Order) -> dict[str, Any]:
    """Return what the statement binds, or say what is wrong with the order."""
    if order.trigger not in Trigger.values:
        known = ", ".join(Trigger.values)
        raise OrderError(f"{order.instance_id}: its trigger {order.trigger!r} is none of {known}")
    get_workflow(order.workflow)
    if not KEY.fullmatch(order.key):
        raise OrderError(
            f"{order.workflow}: the key {order.key!r} is not 1 to 100 letters, digits, `_` and "
            "`-`, without a `-` first"
        )
    if not 0 < len(order.partition) <= PARTITION_CHARACTERS_MAX:
        raise OrderError(f"{order.instance_id}: a partition has 1 to 60 characters")
    return {
        "workflow": order.workflow,
        "key": order.key,
        "partition": order.partition,
        "graph": order.graph,
        "trigger": order.trigger,
        "text": dumps(order.envelope, what=f"the payload of {order.instance_id}"),
        "payload_hash": hashlib.sha256(
            json.dumps(order.envelope, sort_keys=True).encode()
        ).hexdigest(),
    }
