"""An instance as its page shows it: a row for each entry, with every try and wait in time."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from publishing.admin.axis import Axis, Break, Tick
from publishing.admin.bars import Bar, Quiet, draw_bars
from publishing.admin.downloads import output_of
from publishing.admin.log_lines import Line, ended_spans, paused_spans, read_lines
from publishing.admin.marks import span_words
from publishing.ledger.costs import costs_by_entry
from workflows.history import KINDS
from workflows.listing import entry_name
from workflows.models import Attempt, Instance, Status, StepRecord


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


@dataclass
class Row:
    """One entry of the graph.

    Attributes:
        kind: step, wait, sleep or until.
        about: of an entry that waits: for what.
        waited: how long nothing ran at it.
        deadline: when its sleep ends or its wait gives up, while it is there.
        event: what its wait took: type, sender, payload, sent_at.
        passed: why its wait did not wait.
    """

    position: int
    name: str
    kind: str
    state: str
    about: str = ""
    waited: timedelta = timedelta()
    deadline: datetime | None = None
    event: dict[str, Any] | None = None
    passed: str | None = None
    cost_micros: int = 0
    tries: list[Try] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    output: Any = None
    has_output: bool = False

    @property
    def is_step(self) -> bool:
        """Whether it runs something."""
        return self.kind == "step"

    @property
    def took(self) -> timedelta | None:
        """How long its tries ran together; of an entry that waits, how long it waited."""
        if not self.is_step:
            return self.waited or None
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
    log: list[Line]
    lasted: timedelta

    @property
    def cost_micros(self) -> int:
        """What all entries cost."""
        return sum(row.cost_micros for row in self.rows)


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
            kind=next(kind for kind in KINDS if kind in entry),
            state=_state(instance, position),
            about=_about(entry),
            deadline=instance.deadline_at if position == instance.position else None,
            cost_micros=costs.get(entry_name(entry), 0),
        )
        for position, entry in enumerate(instance.graph.entries)
    ]
    _fill_tries(rows, instance, records, attempts, now)
    for record in records:
        if not record.superseded and record.position < len(rows):
            row = rows[record.position]
            row.output, row.has_output, row.state = output_of(record), True, Status.COMPLETE.label
            if row.kind == "wait":
                row.event, row.passed = record.output.get("event"), record.output.get("passed")
    end = max(instance.finished_at or now, instance.created_at + timedelta(milliseconds=1))
    log = list(instance.log.order_by("id"))
    ended = list(ended_spans(log))
    # Where it went on begins a gap of its own: the wait after an end is not part of the end.
    busy = [(t.started_at, t.ended_at) for row in rows for t in row.tries]
    axis = Axis(instance.created_at, end, busy=[*busy, *((stop, stop) for _, stop in ended)])
    quiet = Quiet(ended, list(paused_spans(log, until=end)))
    draw_bars(rows, instance, axis, quiet, now=now)
    return Timeline(
        rows=rows,
        ticks=axis.ticks(),
        breaks=axis.breaks(),
        log=read_lines(log),
        lasted=end - instance.created_at,
    )


def _about(entry: dict[str, Any]) -> str:
    if "wait" in entry:
        asked = [entry["when"]] if isinstance(entry.get("when"), str) else entry.get("when", [])
        return f"for event {entry['wait']}" + (f", if {' or '.join(asked)}" if asked else "")
    if "sleep" in entry:
        return f"sleeps {span_words(timedelta(seconds=float(entry['sleep'])))}"
    return f"until the moment at {entry['until']}" if "until" in entry else ""


def _state(instance: Instance, position: int) -> str:
    # A pruned instance has no records, yet it has finished the entries before its position.
    if position < instance.position:
        return str(Status.COMPLETE.label)
    if position > instance.position:
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
