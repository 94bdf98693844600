"""How many stages one graph is away from another.

The distance is the least number of changes that make one list of stages of the other, where a
change adds a stage, removes one, moves one to another place, or replaces one by another in its
place. So it is a metric: symmetric, nought for equal lists only, never longer by a detour. Waits,
sleeps, `until` and options are no stages; they count nothing.

A list of changes is an alignment: pairs that are kept stand in the same order in both lists; a
stage that is not kept is moved if the other list has an equal one to spare, replaced if one stands
in its gap, else added or removed. The best alignment is found exactly, by dynamic programming over
both lists and, for each kind of stage, how many of it are to spare so far.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from lanes.spine import SPINE


class Stage(NamedTuple):
    """A step entry as distance sees it; two are equal if their steps are."""

    step: str
    name: str


@dataclass(frozen=True)
class Distance:
    """The stages in which two graphs differ, by the names of their entries.

    Attributes:
        removed: what the first has.
        added: what the second has.
        replaced: a stage of the first, and what stands in its place in the second.
        moved: what both have, in another place; by the second's names.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    replaced: tuple[tuple[str, str], ...] = ()

    @property
    def stages(self) -> int:
        """How many stages differ."""
        return len(self.added) + len(self.removed) + len(self.moved) + len(self.replaced)

    def __str__(self) -> str:
        said = [f"{name} {kind}" for kind in ("added", "removed", "moved")
                for name in getattr(self, kind)]  # fmt: skip
        said += [f"{old} replaced by {new}" for old, new in self.replaced]
        return ", ".join(said) or "no stage differs"


def distance_from_spine(entries: Sequence[Mapping[str, Any]]) -> Distance:
    """Return how far a graph is from the spine."""
    return measure(stages_of(SPINE), stages_of(entries))


def stages_of(entries: Sequence[Mapping[str, Any]]) -> tuple[Stage, ...]:
    """Return a graph's stages: its entries that are steps."""
    return tuple(
        Stage(entry["step"], entry.get("name", entry["step"]))
        for entry in entries
        if "step" in entry
    )


@lru_cache(maxsize=1024)
def measure(first: tuple[Stage, ...], second: tuple[Stage, ...]) -> Distance:
    """Return the fewest changes that make the second list of the first."""
    begin = _common_length(first, second)
    end = _common_length(first[begin:][::-1], second[begin:][::-1])
    left, right = first[begin : len(first) - end], second[begin : len(second) - end]
    return _describe(left, right, _Alignment(left, right).best_pairs())


def _common_length(first: Sequence[Stage], second: Sequence[Stage]) -> int:
    """Return how many stages both begin with: to keep them is never dearer."""
    pairs = zip(first, second, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b),
                min(len(first), len(second)))  # fmt: skip


class _Score(NamedTuple):
    """What an alignment saves; of two that save as much, the one that keeps more, by name too."""

    saved: int
    kept: int
    named: int


class _Way(NamedTuple):
    """The best way to a state: its score, the last pair on it, and the way before that."""

    score: _Score
    pair: tuple[int, int] | None
    before: "_Way | None"


_Place = tuple[int, int]  # how far each list has been read
_Spare = tuple[int, ...]  # by step, unpaired so far: above 0 of the first, below 0 of the second
_Onward = tuple[_Place, _Spare, _Way]


class _Alignment:
    """Finds the pairs that save most.

    If nothing were paired, every stage of both lists would change. A kept pair saves two changes;
    a replaced pair, and two unpaired stages that are one moved, save one.
    """

    def __init__(self, first: Sequence[Stage], second: Sequence[Stage]) -> None:
        self._first, self._second = first, second
        self._steps = tuple({stage.step for stage in first} & {stage.step for stage in second})

    def best_pairs(self) -> list[tuple[int, int]]:
        """Return the positions of kept and replaced pairs, in order."""
        nothing = _Way(_Score(0, 0, 0), None, None)
        reached: dict[_Place, dict[_Spare, _Way]] = {(0, 0): {(0,) * len(self._steps): nothing}}
        end = (len(self._first), len(self._second))
        for place in ((i, j) for i in range(end[0] + 1) for j in range(end[1] + 1)):
            if place == end:
                break
            for spare, way in reached.pop(place).items():
                for next_place, next_spare, onward in self._onward(place, spare, way):
                    known = reached.setdefault(next_place, {})
                    if next_spare not in known or known[next_spare].score < onward.score:
                        known[next_spare] = onward
        return _pairs_of(max(reached[end].values(), key=lambda way: way.score))

    def _onward(self, place: _Place, spare: _Spare, way: _Way) -> Iterator[_Onward]:
        i, j = place
        if i < len(self._first):
            yield self._unpaired((i + 1, j), spare, way, self._first[i], 1)
        if j < len(self._second):
            yield self._unpaired((i, j + 1), spare, way, self._second[j], -1)
        if i < len(self._first) and j < len(self._second):
            a, b, (saved, kept, named) = self._first[i], self._second[j], way.score
            is_kept = a.step == b.step
            score = _Score(saved + 1 + is_kept, kept + is_kept, named + (a == b))
            yield (i + 1, j + 1), self._useful(spare, (i + 1, j + 1)), _Way(score, place, way)

    def _unpaired(self, place: _Place, spare: _Spare, way: _Way, stage: Stage, side: int
                  ) -> _Onward:  # fmt: skip
        if stage.step not in self._steps:
            return place, self._useful(spare, place), way
        at = self._steps.index(stage.step)
        if spare[at] * side < 0:  # the other list has one to spare: it was moved
            score = way.score._replace(saved=way.score.saved + 1)
            way = way._replace(score=score)
        spare = (*spare[:at], spare[at] + side, *spare[at + 1 :])
        return place, self._useful(spare, place), way

    def _useful(self, spare: _Spare, place: _Place) -> _Spare:
        """Forget what the rest of the other list can no longer take, so that states are few."""
        i, j = place
        rest_of_first = [stage.step for stage in self._first[i:]]
        rest_of_second = [stage.step for stage in self._second[j:]]
        return tuple(
            max(-rest_of_first.count(step), min(rest_of_second.count(step), count))
            for step, count in zip(self._steps, spare, strict=True)
        )


def _pairs_of(way: _Way) -> list[tuple[int, int]]:
    pairs = []
    seen: _Way | None = way
    while seen is not None:
        if seen.pair is not None:
            pairs.append(seen.pair)
        seen = seen.before
    return pairs[::-1]


def _describe(
    first: Sequence[Stage], second: Sequence[Stage], pairs: Sequence[tuple[int, int]]
) -> Distance:
    left = [stage for n, stage in enumerate(first) if n not in {i for i, _ in pairs}]
    right = [stage for n, stage in enumerate(second) if n not in {j for _, j in pairs}]
    moved = []
    for stage in list(right):
        twins = [other for other in left if other.step == stage.step]
        if twins:
            left.remove(stage if stage in twins else twins[0])
            right.remove(stage)
            moved.append(stage.name)
    return Distance(
        added=tuple(stage.name for stage in right),
        removed=tuple(stage.name for stage in left),
        moved=tuple(moved),
        replaced=tuple(
            (first[i].name, second[j].name) for i, j in pairs if first[i].step != second[j].step
        ),
    )
