"""The rows of lanes: the lane, the immutable versions of what differs, and their uses."""

from lanes.models.lanes import Lane
from lanes.models.uses import VersionUse
from lanes.models.versions import AntiPattern, Bundle, LaneGraph, LaneOptions

__all__ = ["AntiPattern", "Bundle", "Lane", "LaneGraph", "LaneOptions", "VersionUse"]
