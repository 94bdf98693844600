"""What the bench of the engine drives: eight steps that do nothing, with contracts as any other.

The steps are registered where this module is imported: by the bench, and so by its workers, which
are its forks. No worker of the product knows them.
"""

import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import connection

from publishing.benches.report import BenchError
from workflows.contracts import Contract, StepContext
from workflows.dispatch import Order, create_instances
from workflows.graphs import store_graph
from workflows.models import Instance, Status, StepRecord
from workflows.registry import register_workflow, step

BENCH = "bench"
PARTITION = "bench"
NOTE = "x" * 120  # so that an output is of about 200 bytes, as in the peers' benches
STEPS = ("validate", "ground", "generate", "clean", "persist", "index", "cover", "publish")
EVENT = "go"


class Errand(Contract):
    """What an instance is sent with.

    Attributes:
        network_seconds: how long the first step waits.
        step_seconds: how long each of the others does.
        marks: file to which each step that was begun adds a line; empty for none.
    """

    brief_id: str
    network_seconds: float = 0.0
    step_seconds: float = 0.0
    marks: str = ""


class Done(Contract):
    """What each step returns; the next one takes it."""

    step: str
    brief: str
    ok: bool = True
    cost_usd: float = 0.0125
    note: str = NOTE


register_workflow(BENCH, provides={Errand: lambda envelope: Errand.model_validate(envelope)})


@step("bench_first")
def first(errand: Errand, context: StepContext) -> Done:
    """Wait as long as a slow network would, if the errand says so; else do nothing."""
    _begin(errand, context, errand.network_seconds)
    return Done(step="first", brief=errand.brief_id)


@step("bench_next")
def following(errand: Errand, done: Done, context: StepContext) -> Done:
    """Do nothing with what the step before has returned."""
    _begin(errand, context, errand.step_seconds)
    return Done(step="next", brief=done.brief)


def _begin(errand: Errand, context: StepContext, seconds: float) -> None:
    if errand.marks:
        with Path(errand.marks).open("a") as file:
            file.write(f"{errand.brief_id} {context.entry}\n")
    if seconds:
        connection.close()  # as every client of a network does
        time.sleep(seconds)


EIGHT: list[dict[str, Any]] = [
    {"step": "bench_next" if number else "bench_first", "name": name}
    for number, name in enumerate(STEPS)
]
WAITING: list[dict[str, Any]] = [{"wait": EVENT, "name": "go"}, *EIGHT]


# Complete instances, and whether their live records are the eight steps in their order.
WHOLE = """
select count(*) from workflows_instance i
where workflow = %s and status = %s and (
    select array_agg(entry::text order by id) from workflows_steprecord r
    where r.instance_id = i.id and not superseded and entry <> 'go') = %s::text[]
"""


def order(
    graph: int, *, key: str = "", envelope: Mapping[str, Any] | None = None, partition: str = ""
) -> Order:
    """Return the order of one instance, with a key of its own unless one is given."""
    key = key or uuid.uuid4().hex
    return Order(
        workflow=BENCH,
        key=key,
        partition=partition or PARTITION,
        graph=graph,
        envelope={"brief_id": key, **(envelope or {})},
        trigger="command",
    )


def graph_of(entries: list[dict[str, Any]]) -> int:
    """Store the graph; return its row."""
    return store_graph(entries, workflow=BENCH).pk


def create(count: int, *, entries: list[dict[str, Any]] | None = None, **chosen: Any) -> list[str]:
    """Create so many instances in one transaction; return their IDs."""
    graph = graph_of(entries or EIGHT)
    created = create_instances([order(graph, **chosen) for _ in range(count)])
    return [each.order.instance_id for each in created]


def have_ended() -> bool:
    """Whether no instance is open."""
    return not Instance.objects.filter(status__lt=Status.ERRORED).exists()


def check_complete(count: int) -> None:
    """Say whether so many instances are complete, each with every record once and in order.

    Raises:
        BenchError: they are not; the figures mean nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(WHOLE, [BENCH, int(Status.COMPLETE), list(STEPS)])
        (whole,) = cursor.fetchone()
    if whole != count:
        raise BenchError(
            f"of {count} instances {whole} are complete with their eight records in order; there "
            f"are {StepRecord.objects.count()} records"
        )


def forget_all() -> None:
    """Empty the tables, so that each part of the bench begins with none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "truncate workflows_instance, workflows_steprecord, workflows_logentry cascade"
        )
        cursor.execute("vacuum analyze workflows_instance, workflows_steprecord")
