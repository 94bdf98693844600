"""An instance as its page shows it: a row for each entry, with every try and wait in time."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from publishing.admin.axis import Axis, Break, Span, Tick
from publishing.admin.marks import span_words
from publishing.ledger.costs import costs_by_entry
from workflows.models import Attempt, Instance, LogEntry, Status, StepRecord

_PAUSE_SECONDS = 0.002  # a shorter gap between two tries is only the engine's own time
_ENDS = {"errored", "terminated", "terminate", "complete"}  # kinds of the event log
_GOES_ON = {"retry", "restart"}


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
class Fold:
    """Tries in a row that said the same, as one."""

    tries: list[Try]

    @property
    def first(self) -> Try:
        """The one that began it."""
        return self.tries[0]

    @property
    def last(self) -> Try:
        """The one whose data and traceback are shown."""
        return self.tries[-1]

    @property
    def took(self) -> timedelta:
        """How long they ran together."""
        return sum((t.took for t in self.tries), timedelta())


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
    def folds(self) -> list[Fold]:
        """The tries, with equal failures one after another folded into one."""
        folds: list[Fold] = []
        for one in self.tries:
            if folds and one.error and _said(one) == _said(folds[-1].last):
                folds[-1].tries.append(one)
            else:
                folds.append(Fold([one]))
        return folds

    @property
    def error(self) -> dict[str, Any] | None:
        """What the last try failed of, if nothing finished since."""
        return self.tries[-1].error if self.tries and not self.has_output else None


@dataclass(frozen=True)
class Timeline:
    """Rows, axis, and what was logged."""

    rows: list[Row]
    ticks: list[Tick]
    breaks: list[Break]
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
    log = list(instance.log.order_by("id"))
    ended = list(_ended(log))
    # Where it went on begins a gap of its own: the wait after an end is not part of the end.
    busy = [(t.started_at, t.ended_at) for row in rows for t in row.tries]
    axis = Axis(instance.created_at, end, busy=[*busy, *((stop, stop) for _, stop in ended)])
    for row, bar in _bars(rows, instance, axis, ended=ended, now=now):
        row.bars.append(bar)
    return Timeline(
        rows=rows,
        ticks=axis.ticks(),
        breaks=axis.breaks(),
        log=log,
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


def _said(one: Try) -> tuple[Any, ...]:
    error = one.error or {}
    return one.generation, one.outcome, one.superseded, error.get("type"), error.get("message")


def _ended(log: list[LogEntry]) -> Iterator[Span]:
    """Yield the spans between an end and the verb that set the instance going again."""
    ended_at: datetime | None = None
    for line in log:
        if line.kind in _ENDS:
            ended_at = line.at
        elif line.kind in _GOES_ON and ended_at is not None:
            yield ended_at, line.at
            ended_at = None


def _bars(
    rows: list[Row], instance: Instance, axis: Axis, *, ended: list[Span], now: datetime
) -> Iterator[tuple[Row, Bar]]:
    """Yield a bar for each try, and one for the wait before it; an ended instance waits not."""
    tries = sorted(
        ((t, row) for row in rows for t in row.tries), key=lambda pair: pair[0].started_at
    )
    free_since = instance.created_at
    for one, row in tries:
        since = _waits_since(free_since, one.started_at, ended)
        if (one.started_at - since).total_seconds() > _PAUSE_SECONDS:
            yield row, _wait(axis, since, one.started_at)
        label = f"{one.outcome}, attempt {one.number}, {span_words(one.took)}"
        yield row, Bar(one.kind, *axis.place(one.started_at, one.ended_at), label)
        free_since = max(free_since, one.ended_at)
    is_open = instance.status in (Status.QUEUED, Status.WAITING, Status.PAUSED)
    if is_open and instance.position < len(rows):
        yield rows[instance.position], _wait(axis, _waits_since(free_since, now, ended), now)


def _waits_since(free_since: datetime, until: datetime, ended: list[Span]) -> datetime:
    """Return when the wait began: after the last verb, if the instance had ended between."""
    return max([free_since, *(stop for _, stop in ended if free_since < stop <= until)])


def _wait(axis: Axis, start: datetime, stop: datetime) -> Bar:
    return Bar("waiting", *axis.place(start, stop), f"waiting, {span_words(stop - start)}")
