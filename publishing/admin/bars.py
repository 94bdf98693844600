"""The bars of the waterfall: a bar for each try, and one for each time in which nothing ran."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from publishing.admin.axis import Axis, Span
from publishing.admin.marks import span_words
from workflows.models import Instance, Status

_GAP_SECONDS = 0.002  # a shorter gap between two tries is only the engine's own time


@dataclass(frozen=True)
class Bar:
    """A piece of the waterfall; left and width are percentages of the whole time."""

    kind: str
    left: str
    width: str
    label: str


class Tried(Protocol):
    """One try, as a bar needs it."""

    @property
    def number(self) -> int:
        """Counted from 1."""

    @property
    def outcome(self) -> str:
        """How it ended, in a word."""

    @property
    def started_at(self) -> datetime:
        """When it began."""

    @property
    def ended_at(self) -> datetime:
        """When it ended, or now."""

    @property
    def took(self) -> timedelta:
        """How long it ran."""

    @property
    def kind(self) -> str:
        """The word that its colour is kept under."""


class Drawn(Protocol):
    """A row of the waterfall, as its bars need it."""

    kind: str
    about: str
    waited: timedelta
    bars: list[Bar]

    @property
    def tries(self) -> Sequence[Tried]:
        """What ran at it."""


@dataclass(frozen=True)
class Quiet:
    """When an instance had ended and went on later, and when it was paused."""

    ended: list[Span] = field(default_factory=list)
    paused: list[Span] = field(default_factory=list)


def draw_bars(
    rows: Sequence[Drawn], instance: Instance, axis: Axis, quiet: Quiet, *, now: datetime
) -> None:
    """Give each row its bars; an instance that has ended waits for nothing."""
    tries = sorted(
        ((one, row) for row in rows for one in row.tries), key=lambda pair: pair[0].started_at
    )
    free_since = instance.created_at
    for one, row in tries:
        since = _waits_since(free_since, one.started_at, quiet.ended)
        if (one.started_at - since).total_seconds() > _GAP_SECONDS:
            _draw_wait(row, axis, since, one.started_at, quiet)
        row.bars.append(_try_bar(one, row, axis))
        free_since = max(free_since, one.ended_at)
    is_open = instance.status in (Status.QUEUED, Status.WAITING, Status.PAUSED)
    if is_open and instance.position < len(rows):
        since = _waits_since(free_since, now, quiet.ended)
        _draw_wait(rows[instance.position], axis, since, now, quiet)


def _waits_since(free_since: datetime, until: datetime, ended: list[Span]) -> datetime:
    """Return when the wait began: after the last verb, if the instance had ended between."""
    return max([free_since, *(stop for _, stop in ended if free_since < stop <= until)])


def _try_bar(one: Tried, row: Drawn, axis: Axis) -> Bar:
    took = span_words(one.took)
    label = f"{one.outcome}, attempt {one.number}, {took}" if row.kind == "step" else one.outcome
    return Bar(one.kind, *axis.place(one.started_at, one.ended_at), label)


def _draw_wait(row: Drawn, axis: Axis, start: datetime, stop: datetime, quiet: Quiet) -> None:
    row.waited += stop - start
    words = (
        "waiting"
        if row.kind == "step"
        else f"waiting {row.about}".replace("waiting sleeps", "sleeping")
    )
    row.bars.append(
        Bar("waiting", *axis.place(start, stop), f"{words}, {span_words(stop - start)}")
    )
    for begin, end in _within(quiet.paused, start, stop):
        label = f"paused, {span_words(end - begin)}"
        row.bars.append(Bar("paused", *axis.place(begin, end), label))


def _within(spans: list[Span], start: datetime, stop: datetime) -> Iterator[Span]:
    for begin, end in spans:
        if begin < stop and end > start:
            yield max(begin, start), min(end, stop)
