"""A graph as rows: each entry with what it takes, from where, and how it differs from the spine."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from lanes.compiler import Entries, name_of
from lanes.distance import Distance, stages_of
from lanes.spine import SPINE
from lanes.wiring import wires_of
from publishing.admin.marks import span_words
from workflows.graphs import Entry, Plan, SleepEntry, StepEntry, UntilEntry
from workflows.history import KINDS

_SHAPES = {"added": "+", "removed": "−", "moved": "↕", "replaces": "⇄", "does not fit": "✕"}
_POSITION = re.compile(r"\w+\.entries\[(\d+)\]")


@dataclass(frozen=True)
class Mark:
    """How an entry differs from the spine, or that it does not fit: a word and a shape."""

    word: str
    of: str = ""

    @property
    def shape(self) -> str:
        """The shape that stands before the word."""
        return _SHAPES[self.word]

    @property
    def kind(self) -> str:
        """The word that its look is kept under."""
        return self.word.replace(" ", "-")

    def __str__(self) -> str:
        return f"{self.word} {self.of}".rstrip()


@dataclass(frozen=True)
class Row:
    """One entry, or a stage of the spine that the graph has not.

    Attributes:
        about: of an entry that is no step, what it waits for; of a step under another name, which.
        takes: its inputs, each with the entry that feeds it.
        returns: the contract that it returns; empty where that is not known.
        feeders: the rows that feed it.
    """

    name: str
    about: str = ""
    takes: tuple[str, ...] = ()
    returns: str = ""
    mark: Mark | None = None
    feeders: tuple[int, ...] = ()

    @property
    def is_removed(self) -> bool:
        """Whether it is a stage that only the spine has."""
        return self.mark is not None and self.mark.word == "removed"


@dataclass
class _Marks:
    by_name: dict[str, Mark] = field(default_factory=dict)
    removed: dict[str, str] = field(default_factory=dict)  # by the stage before it, or ""


def rows_of_plan(plan: Plan, distance: Distance) -> list[Row]:
    """Return the rows of a graph that was proved; removed stages stand where the spine has them."""
    marks = _marks_of(distance, [entry.name for entry in plan.entries])
    wires = wires_of(plan)
    order = _order(marks, [entry.name for entry in plan.entries])
    places = {name: row for row, (name, is_removed) in enumerate(order) if not is_removed}
    entries = {entry.name: entry for entry in plan.entries}
    rows = []
    for name, is_removed in order:
        if is_removed:
            rows.append(Row(name, mark=Mark("removed")))
            continue
        mine = [wire for wire in wires if wire.entry == name]
        fed = dict.fromkeys(places[wire.provider] for wire in mine if wire.provider)
        takes = tuple(
            f"{wire.contract} of {wire.provider}" if wire.provider else wire.contract
            for wire in mine
        )
        entry = entries[name]
        returns = entry.output.__name__ if isinstance(entry, StepEntry) else ""
        mark = marks.by_name.get(name)
        rows.append(Row(name, _about(entry), takes, returns, mark, tuple(fed)))
    return rows


def rows_of_entries(entries: Entries, path: str) -> list[Row]:
    """Return the rows of a graph that does not fit, with a mark where the path leads."""
    found = _POSITION.match(path)
    fault = int(found[1]) if found else None
    return [
        Row(
            name=_printable(name_of(entry)) or f"entry {position}",
            about=next((kind for kind in KINDS if kind in entry and kind != "step"), ""),
            mark=Mark("does not fit") if position == fault else None,
        )
        for position, entry in enumerate(entries)
    ]


def _printable(name: str) -> str:
    return name.encode(errors="replace").decode()  # half a character is no text


def _about(entry: Entry) -> str:
    if isinstance(entry, StepEntry):
        return f"step {entry.step.name}" if entry.step.name != entry.name else ""
    if isinstance(entry, UntilEntry):
        return f"waits until the moment at {entry.pointer}"
    if isinstance(entry, SleepEntry):
        return f"sleeps {span_words(entry.duration)}"
    return f"waits for event {entry.type}{_within(entry.timeout)}"


def _within(timeout: timedelta | None) -> str:
    return f", at most {span_words(timeout)}" if timeout else ""


def _marks_of(distance: Distance, names: Sequence[str]) -> _Marks:
    marks = _Marks({name: Mark("added") for name in distance.added})
    marks.by_name |= {name: Mark("moved") for name in distance.moved}
    marks.by_name |= {new: Mark("replaces", old) for old, new in distance.replaced}
    before = ""
    for stage in stages_of(SPINE):
        if stage.name in distance.removed:
            marks.removed[stage.name] = before
        elif stage.name in names:
            before = stage.name
    return marks


def _order(marks: _Marks, names: Sequence[str]) -> list[tuple[str, bool]]:
    """Return all names in the order of the rows, each with whether it is a removed stage."""
    order: list[tuple[str, bool]] = []
    for name in ["", *names]:
        if name:
            order.append((name, False))
        order += [(gone, True) for gone, before in marks.removed.items() if before == name]
    return order


def entries_of(value: Any) -> Entries:
    """Return those of a list's items that could be entries, for a drawing of what does not fit."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
