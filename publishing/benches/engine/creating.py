"""Creates a second, singly and in batches, and how long a duplicate takes to be refused."""

import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from statistics import quantiles

from publishing.benches.engine import workload
from publishing.benches.engine.yardsticks import TABLES, connect
from publishing.benches.report import BenchError, Figure, Size
from publishing.benches.standing import standing_drain
from workflows.dispatch import create_instance, create_instances
from workflows.errors import DuplicateInstanceError
from workflows.models import Instance

BATCH = 500


@dataclass(frozen=True)
class Span:
    """How much is created, and how often."""

    singly: int
    batches: int
    duplicates: int
    rounds: int


SPANS = {Size.FULL: Span(2000, 20, 1000, 3), Size.QUICK: Span(20, 1, 20, 1)}
INSERT = "insert into yard (id) values (%s) on conflict do nothing returning id"
INSERT_MANY = "insert into yard (id) select unnest(%s::text[]) on conflict do nothing returning id"


def measure(size: Size, done: Counter[str]) -> list[Figure]:
    """Create beside a yardstick that inserts the same keys into a bare table."""
    span = SPANS[size]
    workload.forget_all()
    rounds = [_round(span) for _ in range(span.rounds)]
    created = span.rounds * (span.singly + span.batches * BATCH + 1)
    if Instance.objects.count() != created:
        raise BenchError(f"{Instance.objects.count()} instances stand where {created} were created")
    done["creates"] += created
    done["duplicates refused"] += span.rounds * span.duplicates
    units = {name: unit for name, (unit, _) in rounds[0].items()}
    return [
        Figure(name, unit, [each[name][1] for each in rounds], name.startswith("yardstick"))
        for name, unit in units.items()
    ]


def _round(span: Span) -> dict[str, tuple[str, float]]:
    # A drain that stands is what a create meets in production: it calls for none.
    with standing_drain():
        graph = workload.graph_of(workload.EIGHT)
        single = _rate(span.singly, lambda: _create(graph, uuid.uuid4().hex))
        batch = BATCH * _rate(span.batches, lambda: _create_batch(graph))
        middle, longest = _duplicates(graph, span.duplicates)
    yard_single, yard_batch = _yardstick(span)
    return {
        "creates, one by one": ("1/s", single),
        "yardstick: inserts, one by one": ("1/s", yard_single),
        "creates, in batches of 500": ("1/s", batch),
        "yardstick: inserts, in batches of 500": ("1/s", yard_batch),
        "a duplicate, p50": ("ms", middle),
        "a duplicate, p99": ("ms", longest),
    }


def _rate(count: int, act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    for _ in range(count):
        act()
    return count / (time.perf_counter() - begun)


def _create(graph: int, key: str) -> None:
    order = workload.order(graph, key=key)
    create_instance(
        workflow=order.workflow,
        key=order.key,
        partition=order.partition,
        graph=order.graph,
        envelope=order.envelope,
        trigger=order.trigger,
    )


def _create_batch(graph: int) -> None:
    create_instances([workload.order(graph) for _ in range(BATCH)])


def _duplicates(graph: int, count: int) -> tuple[float, float]:
    key = uuid.uuid4().hex
    _create(graph, key)
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        try:
            _create(graph, key)
        except DuplicateInstanceError:
            times.append((time.perf_counter() - begun) * 1000)
    if len(times) != count:
        raise BenchError(f"of {count} duplicates {len(times)} were refused")
    cuts = quantiles(times, n=100)
    return cuts[49], cuts[98]


def _yardstick(span: Span) -> tuple[float, float]:
    with connect() as session:
        session.execute("drop table if exists yard, yardstep")
        session.execute(TABLES)
        single = _rate(span.singly, lambda: session.execute(INSERT, [uuid.uuid4().hex]))
        batch = _rate(
            span.batches,
            lambda: session.execute(INSERT_MANY, [[uuid.uuid4().hex for _ in range(BATCH)]]),
        )
        session.execute("drop table yard, yardstep")
    return single, batch * BATCH
