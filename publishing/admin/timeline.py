"""An instance as its page shows it: a row for each entry, with every try and wait in time."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from publishing.admin.costs import costs_by_entry
from publishing.admin.marks import span_words
from workflows.models import Attempt, Instance, LogEntry, Status, StepRecord

_TICKS_MOST = 6
_TICK_SECONDS = (
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
    7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000,
)  # fmt: skip
_PAUSE_SECONDS = 0.002  # a shorter gap between two tries is only the engine's own time


@dataclass(frozen=True)
class Try:
    """One attempt, whether it failed, finished the entry, or still runs."""

    generation: int
    number: int
    outcome: str
    started_at: datetime
    ended_at: datetime
    error: dict[str, Any] | None = None
    superseded: bool = False

    @property
    def took(self) -> timedelta:
        """How long it ran."""
        return self.ended_at - self.started_at

    @property
    def kind(self) -> str:
        """Return the word that its colour is kept under."""
        return "superseded" if self.superseded else self.outcome.replace(" ", "-")


@dataclass(frozen=True)
class Bar:
    """A piece of the waterfall; left and width are percentages of the whole time."""

    kind: str
    left: str
    width: str
    label: str


@dataclass
class Row:
    """One entry of the graph."""

    position: int
    name: str
    is_step: bool
    state: str
    cost_micros: int = 0
    tries: list[Try] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    output: Any = None
    has_output: bool = False

    @property
    def took(self) -> timedelta | None:
        """How long its tries ran together."""
        return sum((t.took for t in self.tries), timedelta()) if self.tries else None

    @property
    def error(self) -> dict[str, Any] | None:
        """What the last try failed of, if nothing finished since."""
        return self.tries[-1].error if self.tries and not self.has_output else None


@dataclass(frozen=True)
class Tick:
    """A mark of the time axis."""

    left: str
    label: str


@dataclass(frozen=True)
class Timeline:
    """Rows, axis, and what was logged."""

    rows: list[Row]
    ticks: list[Tick]
    log: list[LogEntry]
    lasted: timedelta

    @property
    def cost_micros(self) -> int:
        """What all entries cost."""
        return sum(row.cost_micros for row in self.rows)


def entry_name(entry: dict[str, Any]) -> str:
    """Return the name of a stored graph entry."""
    return str(entry.get("name") or entry.get("step"))


def read_timeline(instance: Instance, *, now: datetime | None = None) -> Timeline:
    """Read everything that is kept of an instance's run."""
    now = now or timezone.now()
    records = list(instance.records.order_by("id"))
    attempts = list(instance.attempts.order_by("id"))
    costs = costs_by_entry(instance.key)
    rows = [
        Row(
            position=position,
            name=entry_name(entry),
            is_step="step" in entry,
            state=_state(instance, position),
            cost_micros=costs.get(entry_name(entry), 0),
        )
        for position, entry in enumerate(instance.graph.entries)
    ]
    _fill_tries(rows, instance, records, attempts, now)
    for record in records:
        if not record.superseded and record.position < len(rows):
            row = rows[record.position]
            row.output, row.has_output, row.state = record.output, True, Status.COMPLETE.label
    end = max(instance.finished_at or now, instance.created_at + timedelta(milliseconds=1))
    scale = _Scale(instance.created_at, end)
    for row, bar in _bars(rows, instance, scale, now):
        row.bars.append(bar)
    return Timeline(
        rows=rows,
        ticks=list(scale.ticks()),
        log=list(instance.log.order_by("id")),
        lasted=end - instance.created_at,
    )


def _state(instance: Instance, position: int) -> str:
    if position != instance.position:
        return "not begun"
    return Status(instance.status).label


def _fill_tries(
    rows: list[Row],
    instance: Instance,
    records: list[StepRecord],
    attempts: list[Attempt],
    now: datetime,
) -> None:
    found: defaultdict[int, list[Try]] = defaultdict(list)
    for attempt in attempts:
        found[attempt.position].append(
            Try(
                generation=attempt.generation,
                number=attempt.number,
                outcome=attempt.outcome,
                started_at=attempt.started_at or attempt.finished_at,
                ended_at=attempt.finished_at,
                error=attempt.error,
            )
        )
    for record in records:
        found[record.position].append(
            Try(
                generation=record.generation,
                number=record.attempt,
                outcome="complete",
                started_at=record.started_at,
                ended_at=record.finished_at,
                superseded=record.superseded,
            )
        )
    if instance.status == Status.RUNNING and instance.attempt_started_at:
        found[instance.position].append(
            Try(
                generation=instance.generation,
                number=instance.attempt,
                outcome="running",
                started_at=instance.attempt_started_at,
                ended_at=max(now, instance.attempt_started_at),
            )
        )
    for row in rows:
        row.tries = sorted(found[row.position], key=lambda t: (t.started_at, t.number))


@dataclass(frozen=True)
class _Scale:
    begin: datetime
    end: datetime

    def bar(self, kind: str, start: datetime, stop: datetime, label: str) -> Bar:
        left, right = self._share(start), self._share(stop)
        return Bar(kind, f"{left:.3f}%", f"{max(right - left, 0.25):.3f}%", label)

    def ticks(self) -> Iterator[Tick]:
        seconds = (self.end - self.begin).total_seconds()
        step = next((s for s in _TICK_SECONDS if seconds / s <= _TICKS_MOST), seconds)
        for number in range(int(seconds / step) + 1):
            label = span_words(timedelta(seconds=number * step)) if number else "0"
            yield Tick(f"{100 * number * step / seconds:.3f}%", label.replace(".0 s", " s"))

    def _share(self, at: datetime) -> float:
        share = 100 * ((at - self.begin) / (self.end - self.begin))
        return min(max(share, 0.0), 99.75)


def _bars(
    rows: list[Row], instance: Instance, scale: _Scale, now: datetime
) -> Iterator[tuple[Row, Bar]]:
    """Yield a bar for each try, and one for the wait before it."""
    tries = sorted(
        ((t, row) for row in rows for t in row.tries), key=lambda pair: pair[0].started_at
    )
    free_since = instance.created_at
    for one, row in tries:
        if (one.started_at - free_since).total_seconds() > _PAUSE_SECONDS:
            yield row, _wait(scale, free_since, one.started_at)
        label = f"{one.outcome}, attempt {one.number}, {span_words(one.took)}"
        yield row, scale.bar(one.kind, one.started_at, one.ended_at, label)
        free_since = max(free_since, one.ended_at)
    is_open = instance.status in (Status.QUEUED, Status.WAITING, Status.PAUSED)
    if is_open and instance.position < len(rows):
        yield rows[instance.position], _wait(scale, free_since, now)


def _wait(scale: _Scale, start: datetime, stop: datetime) -> Bar:
    return scale.bar("waiting", start, stop, f"waiting, {span_words(stop - start)}")
