"""A graph's rows laid out as an SVG: boxes from top to bottom, wires at their left.

A row stands for an entry. What it returns leaves its box below, on a rail of its own, and enters
above at each entry that takes it. All sizes are pixels; the drawing fits a telephone unscaled.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from publishing.admin.graph_rows import Row

WIDTH = 330
_RAIL, _BEND, _MARGIN = 8, 4, 10
_LINE, _PAD, _GAP = 15, 9, 8
_CHARACTER = 6.1  # wide, on average, at 11 px of Inter


@dataclass(frozen=True)
class Line:
    """One line of a box's text; `y` is its baseline."""

    y: int
    text: str


@dataclass(frozen=True)
class Box:
    """An entry's box."""

    row: Row
    y: int
    height: int
    lines: tuple[Line, ...]

    @property
    def title_y(self) -> int:
        """The baseline of its name."""
        return self.y + _PAD + 10


@dataclass(frozen=True)
class Wire:
    """From one entry to another: the path, and the arrow at its end."""

    path: str
    arrow: str
    title: str


@dataclass(frozen=True)
class Drawing:
    """The whole picture; `left` is where boxes begin."""

    rows: Sequence[Row]
    boxes: list[Box]
    wires: list[Wire]
    left: int
    width: int
    height: int

    @property
    def box_width(self) -> int:
        """How wide each box is."""
        return self.width - self.left - 1

    @property
    def text_left(self) -> int:
        """Where text begins."""
        return self.left + 10

    @property
    def text_right(self) -> int:
        """Where text ends."""
        return self.width - 11


def draw(rows: Sequence[Row]) -> Drawing:
    """Lay the rows out."""
    rails = _rails(rows)
    left = _MARGIN + _RAIL * (max(rails.values(), default=0) + 1)
    boxes: list[Box] = []
    y = 1
    for row in rows:
        boxes.append(_box(row, y, int((WIDTH - left - 22) / _CHARACTER)))
        y += boxes[-1].height + _GAP
    return Drawing(rows, boxes, list(_wires(boxes, rails, left)), left, WIDTH, max(y - _GAP, 1) + 1)


def _box(row: Row, y: int, characters: int) -> Box:
    said = []
    if row.about:
        said.append(row.about)
    if row.takes:
        said.append(f"takes {', '.join(row.takes)}")
    if row.returns:
        said.append(f"returns {row.returns}")
    texts = [line for text in said for line in textwrap.wrap(text, characters)]
    lines = tuple(Line(y + _PAD + 10 + _LINE * n, text) for n, text in enumerate(texts, 1))
    return Box(row, y, 2 * _PAD + 12 + _LINE * len(texts), lines)


def _rails(rows: Sequence[Row]) -> dict[int, int]:
    """Return the rail of each row that feeds another, counted from the boxes leftwards.

    Short ones stand next to the boxes; no two that overlap share one.
    """
    last = {feeder: place for place, row in enumerate(rows) for feeder in row.feeders}
    taken: list[list[tuple[int, int]]] = []
    found: dict[int, int] = {}
    for first, end in sorted(last.items(), key=lambda span: (span[1] - span[0], span[0])):
        for number in range(len(taken) + 1):
            if number == len(taken):
                taken.append([])
            if all(end <= a or b <= first for a, b in taken[number]):
                taken[number].append((first, end))
                found[first] = number
                break
    return found


def _wires(boxes: Sequence[Box], rails: dict[int, int], left: int) -> list[Wire]:
    wires = []
    for box in boxes:
        feeders = sorted(box.row.feeders, key=lambda place: rails[place])
        step = min(7, (box.height - 20) // max(len(feeders), 1))
        for number, place in enumerate(feeders):
            x = left - _MARGIN - _RAIL * rails[place]
            start, end = boxes[place].y + boxes[place].height - 8, box.y + 10 + step * number
            path = (
                f"M{left} {start}H{x + _BEND}Q{x} {start} {x} {start + _BEND}"
                f"V{end - _BEND}Q{x} {end} {x + _BEND} {end}H{left - 3}"
            )
            arrow = f"{left},{end} {left - 6},{end - 3} {left - 6},{end + 3}"
            wires.append(Wire(path, arrow, f"{boxes[place].row.name} feeds {box.row.name}"))
    return wires
