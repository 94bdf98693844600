"""The migration math: what it costs to keep lanes on the spine, and what graphs of their own cost.

A definition is a list of stages that somebody keeps up: the spine, and each lane's own graph. Each
typed input of a definition is a contract that every change of a step must be checked against.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from lanes.compiler import Entries, Makeup, compile_makeup, prove_makeup
from lanes.costs import worst_cases
from lanes.distance import Distance, distance_from_spine
from lanes.models import Lane
from lanes.plain_json import read_entries, read_options
from lanes.rule import is_own_graph_worth_it, stages_in_words, way_without
from lanes.spine import SPINE
from lanes.wiring import wires_of


@dataclass(frozen=True)
class LanePlan:
    """One lane's part in the math.

    Attributes:
        lane: its name.
        has_own_graph: whether it is a definition of its own.
        is_worth_it: whether it differs from the spine by more than the threshold.
        distance: the stages in which it differs.
        inputs: typed inputs of its steps.
        paid_stages: entries that may cost anything, with their most in micro-dollars.
        sentence: the verdict.
    """

    lane: str
    has_own_graph: bool
    is_worth_it: bool
    distance: Distance
    inputs: int
    paid_stages: dict[str, int]
    sentence: str

    @property
    def worst_micros(self) -> int:
        """The most that a brief may cost."""
        return sum(self.paid_stages.values())

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self) | {
            "stages": self.distance.stages,
            "worst_micros": self.worst_micros,
        }


@dataclass(frozen=True)
class Upkeep:
    """What has to be kept in step.

    Attributes:
        definitions: the spine, if a lane runs it, and each lane's own graph.
        inputs: typed inputs of all of them.
    """

    definitions: int
    inputs: int

    def __str__(self) -> str:
        word = "definition" if self.definitions == 1 else "definitions"
        return f"{self.definitions} {word}, {self.inputs} typed inputs to keep in step"


def makeups_in_use() -> dict[str, Makeup]:
    """Return what each lane is run with now, by its name, in the order of the site."""
    lanes = Lane.objects.select_related("graph", "options")
    return {lane.name: Makeup.of(lane) for lane in lanes}


def plan_lane(made: Makeup, *, reason: str = "") -> LanePlan:
    """Return the math of one lane.

    Args:
        made: what it is, or would be, run with.
        reason: why it has a graph of its own.

    Raises:
        ContractError: it cannot be run.
    """
    plan = prove_makeup(made)
    entries = SPINE if made.graph is None else read_entries(made.graph, path="graph.entries")
    distance = distance_from_spine(entries)
    return LanePlan(
        lane=made.lane.name,
        has_own_graph=made.graph is not None,
        is_worth_it=is_own_graph_worth_it(distance),
        distance=distance,
        inputs=len(wires_of(plan)),
        paid_stages=worst_cases(made, plan),
        sentence=f"{made.lane.name}: {_verdict(made, entries, distance, reason)}",
    )


def split(made: Makeup) -> Makeup:
    """Return the lane with a definition of its own: the spine's entries, copied."""
    return made if made.graph is not None else replace(made, graph=compile_makeup(made), options={})


def upkeep_of(plans: Sequence[LanePlan]) -> Upkeep:
    """Return what is to be kept in step for these lanes; the spine counts once."""
    own = [plan.inputs for plan in plans if plan.has_own_graph]
    on_spine = [plan.inputs for plan in plans if not plan.has_own_graph][:1]
    return Upkeep(len(own) + len(on_spine), sum(own) + sum(on_spine))


def _verdict(made: Makeup, entries: Entries, distance: Distance, reason: str) -> str:
    if is_own_graph_worth_it(distance):
        return f"own graph ({stages_in_words(distance.stages)})."
    if made.graph is None:
        return f"stay on the spine: {_by_options(made)}."
    if reason.strip():
        return f"own graph ({stages_in_words(distance.stages)}), because {reason.strip()}"
    if not distance.stages:
        return "stay on the spine: nothing about the work changed."
    return f"stay on the spine: {distance}; {way_without(entries, distance)}."


def _by_options(made: Makeup) -> str:
    named = [f"{entry}.{option}" for entry, options in read_options(made.options).items()
             for option in options]  # fmt: skip
    return f"options do ({', '.join(named)})" if named else "nothing about the work changed"
