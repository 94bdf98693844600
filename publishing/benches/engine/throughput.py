"""Instances a second and CPU for each: eight steps that do nothing, under a real `qcluster`."""

import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from django.db import connection

from publishing.benches.engine import workload
from publishing.benches.engine.cluster import (
    Cluster,
    postgres_cpu_seconds,
    running_cluster,
    wait_until,
)
from publishing.benches.engine.yardsticks import (
    STEP,
    TABLES,
    YARDSTICKS,
    Spent,
    connect,
    measure_yardstick,
)
from publishing.benches.report import Figure, Size
from workflows.models import StepRecord

WARM_UP = 40  # instances, so that plans and connections are there


@dataclass(frozen=True)
class Span:
    """How much is driven, and how often."""

    instances: int
    rounds: int
    alone: int


SPANS = {Size.FULL: Span(3000, 3, 100), Size.QUICK: Span(40, 1, 3)}
# Settings of the workers, and the yardstick that does the same commits.
MODES: dict[str, tuple[dict[str, Any], str]] = {
    "engine, group commit, 16 threads": (
        {"WORKFLOWS_GROUP_COMMIT": True, "WORKFLOWS_THREADS": 16},
        "yardstick, group commit",
    ),
    "engine, group commit, 64 threads": (
        {"WORKFLOWS_GROUP_COMMIT": True, "WORKFLOWS_THREADS": 64},
        "yardstick, group commit",
    ),
    "engine, one commit a step, 16 threads": (
        {"WORKFLOWS_GROUP_COMMIT": False, "WORKFLOWS_THREADS": 16},
        "yardstick, one commit a step",
    ),
}


def measure(size: Size, done: Counter[str]) -> list[Figure]:
    """Drive a backlog with group commit and without, beside the yardsticks, several times."""
    span = SPANS[size]
    spent: dict[str, list[Spent]] = defaultdict(list)
    memory: list[float] = []
    for _ in range(span.rounds):  # interleaved: a noisy neighbour disturbs all alike
        for name in YARDSTICKS:
            spent[name].append(measure_yardstick(name, span.instances))
        for name, (changed, _) in MODES.items():
            with running_cluster(**changed) as cluster:
                spent[name].append(_drive(span.instances, cluster))
                memory.append(cluster.memory_mib())
            done["instances"] += span.instances
    figures = [figure for name in spent for figure in _figures(name, spent[name])]
    figures += [
        Figure(f"instances by those of its yardstick, {mode}", "x", _ratios(spent[mode], spent[of]))
        for mode, (_, of) in MODES.items()
    ]
    return [*figures, Figure("memory of a worker", "MiB", memory)]


def measure_alone(size: Size, done: Counter[str]) -> list[Figure]:
    """Drive one instance at a time; a step is the time between two records."""
    span = SPANS[size]
    figures = []
    for is_on in (True, False):
        workload.forget_all()
        with running_cluster(WORKFLOWS_GROUP_COMMIT=is_on):
            for _ in range(span.alone):
                workload.create(1)
                wait_until(workload.have_ended)
        workload.check_complete(span.alone)
        done["lone instances"] += span.alone
        name = "group commit" if is_on else "one commit a step"
        figures.append(Figure(f"a step of a lone instance, {name}", "ms", _step_times()))
    return [
        *figures,
        Figure("yardstick: a step's commit", "ms", _commits(span.alone), is_yardstick=True),
    ]


def _drive(count: int, cluster: Cluster) -> Spent:
    workload.forget_all()
    workload.create(WARM_UP)
    wait_until(workload.have_ended)
    workload.forget_all()
    workload.create(count)
    worker, postgres = cluster.cpu_seconds(), postgres_cpu_seconds()
    wait_until(workload.have_ended, every=0.05)
    worker, postgres = cluster.cpu_seconds() - worker, postgres_cpu_seconds() - postgres
    workload.check_complete(count)
    return Spent(count / _seconds(), worker / count * 1000, postgres / count * 1000)


def _seconds() -> float:
    """Return the time from the first claim to the last end, on the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select extract(epoch from max(finished_at) - min(started_at)) from workflows_instance"
        )
        return float(cursor.fetchone()[0])


def _step_times() -> list[float]:
    """Return each instance's mean time of a step: from its second record to its last."""
    times: dict[int, list[float]] = defaultdict(list)
    records = StepRecord.objects.order_by("id").values_list("instance_id", "finished_at")
    for instance, at in records:
        times[instance].append(at.timestamp() * 1000)
    return [(ends[-1] - ends[0]) / (len(ends) - 1) for ends in times.values()]


def _commits(count: int) -> list[float]:
    """Return how long plain psycopg takes to write a step, each in a commit of its own."""
    times = []
    with connect() as session:
        session.execute("drop table if exists yard, yardstep")
        session.execute(TABLES)
        session.execute("insert into yard (id, state) values ('publish-1', 1)")
        for number in range(count):
            begun = time.perf_counter()
            session.execute(STEP, [number, "validate", '{"ok": true}', "publish-1", 0])
            times.append((time.perf_counter() - begun) * 1000)
        session.execute("drop table yard, yardstep")
    return times


def _figures(name: str, spent: list[Spent]) -> list[Figure]:
    is_yardstick = name in YARDSTICKS
    parts = {
        "instances": ("1/s", [each.per_second for each in spent]),
        "CPU of an instance": ("ms", [each.all_ms for each in spent]),
        "of which workers": ("ms", [each.worker_ms for each in spent]),
    }
    return [
        Figure(f"{what}, {name}", unit, rounds, is_yardstick)
        for what, (unit, rounds) in parts.items()
    ]


def _ratios(ours: list[Spent], yardstick: list[Spent]) -> list[float]:
    return [a.per_second / b.per_second for a, b in zip(ours, yardstick, strict=True)]
