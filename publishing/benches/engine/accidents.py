"""How long instances of a killed worker stand still, and that no recorded step runs again."""

import os
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from publishing.benches.engine import workload
from publishing.benches.engine.cluster import running_cluster, wait_until
from publishing.benches.report import BenchError, Figure, Size
from workflows.models import Attempt, Drain, Instance, Outcome, StepRecord


@dataclass(frozen=True)
class Span:
    """How many are in flight when a worker is killed, how long their steps are, how often."""

    instances: int
    step_seconds: float
    kills: int


SPANS = {Size.FULL: Span(20, 0.25, 3), Size.QUICK: Span(4, 0.1, 1)}


def measure(size: Size, done: Counter[str]) -> list[Figure]:
    """Kill a worker of two in the middle of its instances, by SIGKILL."""
    span = SPANS[size]
    stood_still = []
    for _ in range(span.kills):
        workload.forget_all()
        with tempfile.TemporaryDirectory() as folder, running_cluster():
            marks = Path(folder) / "marks"
            envelope = {"marks": str(marks), "step_seconds": span.step_seconds}
            workload.create(span.instances, envelope=envelope)
            wait_until(lambda: StepRecord.objects.count() >= 2 * span.instances)
            stood_still.append(_kill_one())
            wait_until(workload.have_ended)
            workload.check_complete(span.instances)
            _check_marks(marks)
        done["kills"] += 1
    lease = float(settings.WORKFLOWS_LEASE_SECONDS)
    return [
        Figure("until a killed worker's instances run again", "s", stood_still),
        Figure("a lease, and a second: the limit", "s", [lease + 1], is_yardstick=True),
    ]


def _kill_one() -> float:
    """Kill the worker that drives most; return when the last that it drove was claimed anew."""
    standing = Drain.objects.filter(ended_at=None, leaving=False)
    drives = {drain.pk: _driven_by(drain.pk) for drain in standing}
    victim = max(drives, key=lambda drain: len(drives[drain]))
    os.kill(Drain.objects.get(pk=victim).pid, signal.SIGKILL)
    begun = time.monotonic()
    wait_until(lambda: not _driven_by(victim))
    lost = Attempt.objects.filter(drain=victim, outcome=Outcome.LOST).values("instance")
    waiting = Instance.objects.filter(pk__in=lost, owner=None, finished_at=None, crashes__gt=0)
    # A suspect is driven alone, so the last of many waits for those before it: the first counts.
    wait_until(lambda: waiting.count() < len(lost) or not lost)
    return time.monotonic() - begun


def _driven_by(drain: int) -> list[int]:
    return list(Instance.objects.filter(owner=drain).values_list("pk", flat=True))


def _check_marks(marks: Path) -> None:
    """Say whether a step was begun again only where its first try was lost without a record.

    Raises:
        BenchError: a recorded step ran again.
    """
    begun = Counter(marks.read_text().splitlines())
    again = sum(begun.values()) - len(begun)
    lost = Attempt.objects.filter(outcome=Outcome.LOST).count()
    if again > lost:
        raise BenchError(f"{again} steps ran again where {lost} tries were lost")
