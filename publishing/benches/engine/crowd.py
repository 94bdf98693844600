"""50,000 open instances: most wait, some are woken meanwhile, some are inside a slow network."""

import time
from collections import Counter
from dataclasses import dataclass
from statistics import quantiles

from django.db.models import QuerySet

from publishing.benches.engine import workload
from publishing.benches.engine.cluster import running_cluster, wait_until
from publishing.benches.report import BenchError, Figure, Size
from workflows.events import send_event
from workflows.models import Event, Instance, Reason, Status

THREADS = 120  # a worker: a hundred in the network, and room


@dataclass(frozen=True)
class Span:
    """How many are open, how many of them are woken, how many stand in the network."""

    waiting: int
    woken: int
    in_network: int
    network_seconds: float


SPANS = {Size.FULL: Span(50_000, 1000, 200, 10.0), Size.QUICK: Span(30, 5, 4, 0.3)}
BATCH = 1000


def measure(size: Size, done: Counter[str]) -> list[Figure]:
    """Bring all of them to their wait, then wake some while others are in the network."""
    span = SPANS[size]
    workload.forget_all()
    with running_cluster(WORKFLOWS_THREADS=THREADS) as cluster:
        begun = time.monotonic()
        ids: list[str] = []
        while len(ids) < span.waiting:
            count = min(BATCH, span.waiting - len(ids))
            ids += workload.create(count, entries=workload.WAITING)
        wait_until(lambda: _waiting() == span.waiting)
        parked = span.waiting / (time.monotonic() - begun)
        _enter_network(span)
        begun = time.monotonic()
        for instance_id in ids[: span.woken]:
            send_event(instance_id, workload.EVENT, sender="bench")
        woken = Instance.objects.filter(instance_id__in=ids[: span.woken])
        wait_until(lambda: woken.filter(status=Status.COMPLETE).count() == span.woken)
        seconds = time.monotonic() - begun
        memory = cluster.memory_mib()
        _check(span)
    done["open instances"] += span.waiting
    done["woken"] += span.woken
    cuts = quantiles(_from_event_to_end(woken), n=100)
    return [
        Figure(f"brought to their wait, {span.waiting:,}", "1/s", [parked]),
        Figure(f"woken by an event and ended, {span.woken:,}", "1/s", [span.woken / seconds]),
        Figure("from an event to the end, p50", "ms", [cuts[49]]),
        Figure("from an event to the end, p99", "ms", [cuts[98]]),
        Figure(f"memory of a worker with {THREADS} threads", "MiB", [memory]),
    ]


def _enter_network(span: Span) -> None:
    workload.create(span.in_network, envelope={"network_seconds": span.network_seconds})
    wait_until(lambda: Instance.objects.filter(status=Status.RUNNING).count() >= span.in_network)


def _waiting() -> int:
    return Instance.objects.filter(status=Status.WAITING, reason=Reason.EVENT).count()


def _from_event_to_end(woken: QuerySet[Instance]) -> list[float]:
    rows = Event.objects.filter(instance__in=woken).values_list("sent_at", "instance__finished_at")
    return [(end - sent).total_seconds() * 1000 for sent, end in rows if end]


def _check(span: Span) -> None:
    wait_until(lambda: not Instance.objects.filter(status=Status.RUNNING).exists())
    workload.check_complete(span.woken + span.in_network)
    if _waiting() != span.waiting - span.woken:
        raise BenchError(f"{_waiting()} instances wait where {span.waiting - span.woken} should")
