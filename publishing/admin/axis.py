"""The time axis of a run: to scale where something ran, broken where nothing did for long."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from publishing.admin.marks import rough_words, span_words

_BREAK_RATIO = 3  # a gap longer than so many times the working time is broken
_BREAK_SHARE, _BREAKS_MOST_SHARE = 9.0, 45.0  # per cent of the axis: of one break, of all
_LABEL_SHARE = 9.0  # per cent that a label takes; where less is left there is none
_LEAST_SHARE = 0.25  # of a bar
_TICKS_MOST = 6
_TICK_SECONDS = (
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
    7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000,
)  # fmt: skip
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Tick:
    """A mark of the axis; after a break it counts from there."""

    left: str
    label: str


@dataclass(frozen=True)
class Break:
    """A stretch in which nothing ran, drawn at a fixed width."""

    left: str
    width: str
    middle: str
    label: str
    title: str


@dataclass(frozen=True)
class _Piece:
    start: datetime
    stop: datetime
    left: float
    right: float
    is_broken: bool

    @property
    def lasted(self) -> timedelta:
        return self.stop - self.start

    def share(self, at: datetime) -> float:
        return self.left + (self.right - self.left) * ((at - self.start) / self.lasted)


class Axis:
    """Places of moments, in per cent of the axis from its left."""

    def __init__(self, begin: datetime, end: datetime, *, busy: Iterable[Span]) -> None:
        """Lay the axis out.

        Args:
            begin: its left end.
            end: its right end, later than `begin`.
            busy: when something ran; empty spans part two gaps.
        """
        self._pieces = list(_pieces(begin, end, _merged(busy, begin, end)))

    def place(self, start: datetime, stop: datetime) -> tuple[str, str]:
        """Return left and width of a span; never so narrow that nothing is seen."""
        left, right = min(self._share(start), 100 - _LEAST_SHARE), self._share(stop)
        return f"{left:.3f}%", f"{max(right - left, _LEAST_SHARE):.3f}%"

    def ticks(self) -> list[Tick]:
        """Return the marks whose labels have room."""
        scaled = [piece for piece in self._pieces if not piece.is_broken]
        seconds = sum((p.lasted for p in scaled), timedelta()).total_seconds()
        step = next((s for s in _TICK_SECONDS if seconds / s <= _TICKS_MOST), seconds)
        return [tick for piece in scaled for tick in self._ticks_of(piece, step)]

    def breaks(self) -> list[Break]:
        """Return where the axis is broken, and for how long."""
        return [
            Break(
                left=f"{piece.left:.3f}%",
                width=f"{piece.right - piece.left:.3f}%",
                middle=f"{(piece.left + piece.right) / 2:.3f}%",
                label=rough_words(piece.lasted) if piece.right - piece.left > 5 else "",
                title=f"{span_words(piece.lasted)} in which nothing ran, not to scale",
            )
            for piece in self._pieces
            if piece.is_broken
        ]

    def _ticks_of(self, piece: _Piece, step: float) -> Iterator[Tick]:
        is_first = piece is self._pieces[0]
        for number in range(0 if is_first else 1, int(piece.lasted.total_seconds() / step) + 1):
            after = timedelta(seconds=number * step)
            left = piece.share(piece.start + after)
            if left + _LABEL_SHARE > min(piece.right + (_LABEL_SHARE / 2), 100):
                return
            label = span_words(after).replace(".0 s", " s") if number else "0"
            yield Tick(f"{left:.3f}%", label if is_first else f"+{label}")

    def _share(self, at: datetime) -> float:
        last = self._pieces[-1]
        piece = next((p for p in self._pieces if at < p.stop), last)
        return min(max(piece.share(at), 0.0), 100.0)


def _merged(spans: Iterable[Span], begin: datetime, end: datetime) -> list[Span]:
    merged: list[Span] = []
    for start, stop in sorted(spans):
        start, stop = max(start, begin), min(stop, end)
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        elif start <= stop:
            merged.append((start, stop))
    return merged


def _pieces(begin: datetime, end: datetime, busy: list[Span]) -> Iterator[_Piece]:
    worked = sum((stop - start for start, stop in busy), timedelta())
    starts, stops = [*(s for s, _ in busy), end], [begin, *(s for _, s in busy)]
    gaps = zip(stops, starts, strict=True)
    broken = [gap for gap in gaps if worked and gap[1] - gap[0] > worked * _BREAK_RATIO]
    one = min(_BREAK_SHARE, _BREAKS_MOST_SHARE / len(broken)) if broken else 0.0
    scaled = (end - begin) - sum((stop - start for start, stop in broken), timedelta())
    left, at = 0.0, begin
    for start, stop in [*broken, (end, end)]:
        if start > at:
            right = left + (100 - one * len(broken)) * ((start - at) / scaled)
            yield _Piece(at, start, left, right, is_broken=False)
            left = right
        if stop > start:
            yield _Piece(start, stop, left, left + one, is_broken=True)
            left += one
        at = stop
