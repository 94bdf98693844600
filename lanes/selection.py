"""Dispatch: lane in, plan out. The plan names its bundle and graph; later edits do not touch it."""

from dataclasses import dataclass
from typing import Any

from lanes.contracts import BundleSpecs
from lanes.models import Bundle, Lane
from lanes.spine import SPINE
from workflows.graphs import store_graph
from workflows.models import StepGraph

WORKFLOW = "publish"


@dataclass(frozen=True)
class DispatchPlan:
    """What a brief of this lane is run with.

    Attributes:
        graph: the stored graph with the lane's options compiled in.
        bundle: the version that is in use now.
    """

    lane: Lane
    graph: StepGraph
    bundle: Bundle


class LaneWithoutBundleError(Exception):
    """The lane has no bundle in use, so nothing can be written for it."""

    def __init__(self, lane: str) -> None:
        super().__init__(f"lane {lane} has no bundle in use; save one in the admin")


def plan_for(lane: Lane) -> DispatchPlan:
    """Return the plan for the lane as it stands now.

    Raises:
        LaneWithoutBundleError: no bundle is in use.
        workflows.errors.ContractError: the lane's options do not fit its graph's steps.
    """
    if lane.bundle is None:
        raise LaneWithoutBundleError(lane.name)
    graph = store_graph(compile_entries(lane), workflow=WORKFLOW)
    return DispatchPlan(lane=lane, graph=graph, bundle=lane.bundle)


def compile_entries(lane: Lane) -> list[dict[str, Any]]:
    """Return the spine's entries with the lane's own values and options laid over them."""
    laid_over = lane.options.entries if lane.options else {}
    return [_compile(entry, lane, laid_over) for entry in SPINE]


def load_bundle(bundle: int) -> BundleSpecs:
    """Return the specs of a stored bundle version; its row never changes."""
    row = Bundle.objects.select_related("lane").get(pk=bundle)
    return BundleSpecs(
        lane=row.lane.title,
        version=row.version,
        voice=row.voice,
        audience=row.audience,
        anti_patterns=row.anti_patterns,
        brief_hints=row.brief_hints,
    )


def _compile(entry: dict[str, Any], lane: Lane, laid_over: dict[str, Any]) -> dict[str, Any]:
    if "step" not in entry:
        return entry
    options = {
        name: getattr(lane, value["lane"]) if isinstance(value, dict) and "lane" in value else value
        for name, value in entry.get("options", {}).items()
    }
    options |= laid_over.get(entry.get("name", entry["step"]), {})
    return entry | {"options": options} if options else entry
