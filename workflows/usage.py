"""Usage: how often each step ran in a time range, how long it took, and how its tries ended."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, QuerySet, Sum
from django.utils import timezone

from workflows.errors import FilterError
from workflows.listing import entry_name
from workflows.models import Attempt, Outcome, StepGraph, StepRecord

FAILURES = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST)
_TYPE = "error__type"
_PLACE = ("instance__workflow", "instance__graph", "position")


@dataclass
class StepUsage:
    """What one step of a workflow did.

    Attributes:
        entry: what graphs call it; the step's name unless an entry has one of its own.
        records: times that it finished.
        outcomes: attempts that recorded nothing, by how they ended.
        seconds: of all attempts together, however they ended.
        mean_seconds: of an attempt that finished; None if there is none.
        last_error: type of the latest failure.
    """

    workflow: str
    entry: str
    step: str
    records: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Outcome.values, 0))
    seconds: float = 0.0
    mean_seconds: float | None = None
    last_error: str | None = None


def usage(since: datetime, until: datetime) -> list[StepUsage]:
    """Count what ended from one moment up to another, by workflow and step; waits are left out.

    What was pruned is not counted, nor is an output that a person put in a step's place.

    Raises:
        FilterError: a moment has no zone, or nothing lies between them.
    """
    for name, moment in (("since", since), ("until", until)):
        if timezone.is_naive(moment):
            raise FilterError(name, f"{moment} says no zone; end it in Z for UTC")
    if since >= until:
        raise FilterError("since", f"{since} is not before {until}: nothing lies between them")
    # A replaced output is a record that no drain has written.
    records = StepRecord.objects.filter(finished_at__gte=since, finished_at__lt=until, drain__gt=0)
    attempts = Attempt.objects.filter(finished_at__gte=since, finished_at__lt=until)
    counted = _Counted()
    counted.add_records(_grouped(records, *_PLACE))
    counted.add_attempts(_grouped(attempts, *_PLACE, "outcome"))
    return sorted(counted.steps.values(), key=lambda each: (each.workflow, each.entry, each.step))


def _grouped(rows: QuerySet[Any, Any], *by: str) -> Iterator[dict[str, Any]]:
    took = Sum(F("finished_at") - F("started_at"))
    groups = rows.order_by().values(*by)
    yield from groups.annotate(times=Count("pk"), took=took, newest=Max("pk"))


class _Counted:
    """Sums by step what the database has grouped by graph and position, which are few."""

    def __init__(self) -> None:
        self._graphs = dict(StepGraph.objects.values_list("pk", "entries"))
        self.steps: dict[tuple[str, str, str], StepUsage] = {}

    def add_records(self, groups: Iterable[dict[str, Any]]) -> None:
        """Add groups of finished attempts."""
        for group in groups:
            if step := self._step(group):
                step.records += group["times"]
                step.seconds += group["took"].total_seconds()
                step.mean_seconds = step.seconds / step.records

    def add_attempts(self, groups: Iterable[dict[str, Any]]) -> None:
        """Add groups of attempts that ended without a record."""
        newest: dict[tuple[str, str, str], int] = {}
        for group in groups:
            if step := self._step(group):
                step.outcomes[group["outcome"]] += group["times"]
                step.seconds += (group["took"] or timedelta()).total_seconds()
                if group["outcome"] in FAILURES:
                    place = (step.workflow, step.entry, step.step)
                    newest[place] = max(newest.get(place, 0), group["newest"])
        types = dict(Attempt.objects.filter(pk__in=newest.values()).values_list("pk", _TYPE))
        for place, pk in newest.items():
            self.steps[place].last_error = types.get(pk)

    def _step(self, group: dict[str, Any]) -> StepUsage | None:
        """Return the step that the group is of, or None if it is of a wait."""
        entry = self._graphs[group["instance__graph"]][group["position"]]
        if "step" not in entry:
            return None
        place = (group["instance__workflow"], entry_name(entry), entry["step"])
        return self.steps.setdefault(place, StepUsage(*place))
