"""Load the lanes of a file that was proved.

The file is where lanes begin; from then on the database is where they live. What the file says
is loaded once: specs, options or a graph that a lane has had in any version change nothing, so
that loading an unchanged file again does not undo an editor's work.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from lanes.files import LANE_FIELDS, BundleInFile, GraphInFile, LaneInFile, LanesFileError
from lanes.models import Lane, LaneGraph
from lanes.specs import specs_of
from lanes.storing import lock_lane
from lanes.versions import save_bundle, save_graph, save_options, use_spine, use_version
from workflows.errors import ContractError


@dataclass
class Loaded:
    """What loading did to one lane.

    Attributes:
        bundle: number of the version that was made or put to use, or None.
        options: likewise.
        graph: likewise; 0 is the spine.
        kept: fields in which the database differs from the file and was left as it is.
        updated: fields that were taken from the file.
    """

    lane: str
    created: bool = False
    bundle: int | None = None
    options: int | None = None
    graph: int | None = None
    kept: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)


@transaction.atomic
def load_lanes(
    lanes: Iterable[LaneInFile], *, source: str, overwrite: bool = False
) -> list[Loaded]:
    """Write what is new in the file, all of it or nothing.

    Args:
        lanes: proved by `read_lanes`.
        source: the file's name, for the note of a version that brings none of its own.
        overwrite: the file wins over what was edited since; else a lane's fields are kept.

    Raises:
        LanesFileError: the file's graph or options do not fit what is kept of an editor's.
    """
    # By name, so that two loads lock rows in the same order.
    numbered = sorted(enumerate(lanes), key=lambda item: item[1].name)
    done: dict[int, Loaded] = {}
    for place, lane in numbered:
        try:
            done[place] = _load(lane, place, f"Loaded from {source}"[:300], overwrite=overwrite)
        except ContractError as error:
            raise LanesFileError(source, [f"lane {lane.name}: {error}"]) from None
    return [done[place] for place in sorted(done)]


def _load(given: LaneInFile, position: int, note: str, *, overwrite: bool) -> Loaded:
    fields = given.model_dump(include=set(LANE_FIELDS))
    if given.place is None:
        fields["place"] = position
    lane, created = Lane.objects.get_or_create(name=given.name, defaults=fields)
    lane = lock_lane(lane)
    done = Loaded(lane=given.name, created=created)
    differing = [name for name, value in fields.items() if getattr(lane, name) != value]
    if overwrite and differing:
        Lane.objects.filter(pk=lane.pk).update(**{name: fields[name] for name in differing})
        done.updated = differing
    else:
        done.kept = differing
    _load_bundle(lane, given.bundle, note, done, overwrite=overwrite)
    _load_graph_and_options(lane, given, note, done, overwrite=overwrite)
    return done


def _load_bundle(
    lane: Lane, given: BundleInFile, note: str, done: Loaded, *, overwrite: bool
) -> None:
    if lane.bundle and specs_of(lane.bundle) == given.specs:
        return
    versions = lane.bundles.prefetch_related("anti_patterns")
    known = next((one for one in versions if specs_of(one) == given.specs), None)
    if known is None:
        is_own_note = given.note and not lane.bundles.filter(note=given.note).exists()
        done.bundle = save_bundle(lane, given.specs, note=given.note if is_own_note else note)
    elif overwrite:
        use_version(known)
        done.bundle = known.version
    else:
        done.kept.append("bundle")


def _load_graph_and_options(
    lane: Lane, given: LaneInFile, note: str, done: Loaded, *, overwrite: bool
) -> None:
    """Load both at once where both are new: each is proved with the other."""
    before = lane.options
    takes_options = _takes_options(lane, given.options, done, overwrite=overwrite)
    takes_graph = _takes_graph(lane, given.graph, done, overwrite=overwrite)
    options = given.options if takes_options else None
    if takes_graph and given.graph is not None:
        entries, reason = given.graph.entries, given.graph.reason
        own_note = given.graph.note or note
        done.graph = save_graph(lane, entries, reason=reason, options=options, note=own_note)
    elif takes_graph:
        use_spine(lane, options=options, note=note)
        done.graph = 0
    elif options is not None:
        save_options(lane, options, note=note)
    if lane.options and lane.options != before:
        done.options = lane.options.version


def _takes_options(lane: Lane, given: dict[str, Any], done: Loaded, *, overwrite: bool) -> bool:
    if lane.options and lane.options.entries == given:
        return False
    is_known = any(version.entries == given for version in lane.options_versions.all())
    if is_known and not overwrite:
        done.kept.append("options")
    return overwrite or not is_known


def _takes_graph(lane: Lane, given: GraphInFile | None, done: Loaded, *, overwrite: bool) -> bool:
    """Every lane has been on the spine, so a file without a graph brings nothing new."""
    if _is_same(lane.graph, given):
        return False
    is_known = given is None or any(_is_same(version, given) for version in lane.graphs.all())
    if is_known and not overwrite:
        done.kept.append("graph")
    return overwrite or not is_known


def _is_same(stored: LaneGraph | None, given: GraphInFile | None) -> bool:
    if stored is None or given is None:
        return stored is None and given is None
    return (stored.entries, stored.reason) == (given.entries, given.reason)
