"""Dispatch: lane in, plan out. The plan names its versions; later edits do not touch it."""

from dataclasses import dataclass
from typing import Any

from lanes.compiler import compile_entries, compile_proved
from lanes.contracts import BundleSpecs
from lanes.models import Bundle, Lane
from lanes.specs import patterns_of
from lanes.spine import WORKFLOW
from workflows.graphs import store_graph
from workflows.models import StepGraph

__all__ = [
    "WORKFLOW",
    "DispatchPlan",
    "LaneWithoutBundleError",
    "compile_entries",
    "load_bundle",
    "plan_for",
]


@dataclass(frozen=True)
class DispatchPlan:
    """What a brief of this lane is run with.

    Attributes:
        lane: as it was when the plan was made.
        graph: the stored graph with the lane's options compiled in.
        bundle: the version that is in use now.
    """

    lane: Lane
    graph: StepGraph
    bundle: Bundle

    @property
    def envelope(self) -> dict[str, Any]:
        """What is frozen of the lane at dispatch: its name, and the ids of its versions.

        `graph` is the lane's own, null on the spine; what is run is the compiled one, which the
        instance's row names.
        """
        return {
            "lane": self.lane.name,
            "bundle": self.bundle.pk,
            "graph": self.lane.graph_id,
            "options": self.lane.options_id,
        }


class LaneWithoutBundleError(Exception):
    """The lane has no bundle in use, so nothing can be written for it."""

    def __init__(self, lane: str) -> None:
        super().__init__(f"lane {lane} has no bundle in use; save one in the admin")


def plan_for(lane: Lane) -> DispatchPlan:
    """Return the plan for the lane as it stands now.

    Nothing is kept between calls: an edit acts on the next brief.

    Raises:
        LaneWithoutBundleError: no bundle is in use.
        workflows.errors.ContractError: graph or options do not fit this code's steps.
    """
    if lane.bundle is None:
        raise LaneWithoutBundleError(lane.name)
    graph = store_graph(compile_proved(lane), workflow=WORKFLOW)
    return DispatchPlan(lane=lane, graph=graph, bundle=lane.bundle)


def load_bundle(bundle: int) -> BundleSpecs:
    """Return the specs of a stored bundle version; its rows never change."""
    row = Bundle.objects.select_related("lane").get(pk=bundle)
    return BundleSpecs(
        lane=row.lane.title,
        version=row.version,
        voice=row.voice,
        audience=row.audience,
        anti_patterns=patterns_of(row),
        brief_hints=row.brief_hints,
    )
