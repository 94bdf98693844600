"""Save bundles, options and graphs: each save is another immutable version of its lane.

`draft_…` stores a version, `save_…` stores it and puts it to use, `use_version` puts any stored
one to use, `roll_back` makes a new version that says what an old one said. Every use is recorded;
a version without one is a draft.

The lane's row is the lock under which versions are counted and put to use; the unique constraint
stands behind it. Instances name the versions that they were dispatched with, so none of this
touches a run.
"""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from lanes.models import Bundle, Lane, LaneGraph, LaneOptions
from lanes.proofs import prove_on_spine, prove_options, prove_own_graph
from lanes.specs import Specs, read_specs, specs_of
from lanes.storing import (
    AnyVersion,
    lock_lane,
    put_on_spine,
    put_to_use,
    store_bundle,
    store_graph,
    store_options,
)

__all__ = [
    "Specs",
    "draft_bundle",
    "draft_graph",
    "draft_options",
    "prove_options",
    "prove_own_graph",
    "read_specs",
    "roll_back",
    "save_bundle",
    "save_graph",
    "save_options",
    "specs_of",
    "use_spine",
    "use_version",
]


@transaction.atomic
def draft_bundle(lane: Lane, specs: Specs, *, author: User | None = None, note: str = "") -> int:
    """Store the specs as the lane's next version, not in use, and return its number."""
    return store_bundle(lock_lane(lane), specs, author, note).version


@transaction.atomic
def save_bundle(lane: Lane, specs: Specs, *, author: User | None = None, note: str = "") -> int:
    """Store the specs as the lane's next version, put it to use, and return its number.

    Of two editors who save at once each makes a version of their own; the later is in use.
    """
    locked = lock_lane(lane)
    made = store_bundle(locked, specs, author, note)
    put_to_use(locked, made, author)
    lane.bundle = made
    return made.version


@transaction.atomic
def draft_options(
    lane: Lane, entries: dict[str, Any], *, author: User | None = None, note: str = ""
) -> int:
    """Prove the options, store them as the lane's next version, not in use; return its number.

    Raises:
        ContractError: as `save_options`.
    """
    locked = lock_lane(lane)
    prove_options(locked, entries)
    return store_options(locked, entries, author, note).version


@transaction.atomic
def save_options(
    lane: Lane, entries: dict[str, Any], *, author: User | None = None, note: str = ""
) -> int:
    """Prove the options and store them as the lane's next version, in use from now on.

    Raises:
        ContractError: an option does not fit its step, of the graph in use; nothing was stored.
    """
    locked = lock_lane(lane)
    prove_options(locked, entries)
    made = store_options(locked, entries, author, note)
    put_to_use(locked, made, author)
    lane.options = made
    return made.version


@transaction.atomic
def draft_graph(
    lane: Lane,
    entries: list[dict[str, Any]],
    *,
    reason: str = "",
    author: User | None = None,
    note: str = "",
) -> int:
    """Prove the graph, store it as the lane's next version, not in use; return its number.

    Raises:
        ContractError: as `save_graph`.
    """
    locked = lock_lane(lane)
    prove_own_graph(locked, entries, reason=reason)
    return store_graph(locked, entries, reason, author, note).version


@transaction.atomic
def save_graph(
    lane: Lane,
    entries: list[dict[str, Any]],
    *,
    reason: str = "",
    options: dict[str, Any] | None = None,
    author: User | None = None,
    note: str = "",
) -> int:
    """Prove the graph and store it as the lane's next version, in use from now on.

    Args:
        lane: whose graph.
        entries: as `workflows.graphs` reads them, with `{"lane": "hue"}` for the lane's values.
        reason: why it has one, needed where it is hardly different from the spine.
        options: saved with it, where those in use do not fit the new entries.
        author: who saves.
        note: what this version changes.

    Raises:
        ContractError: with the path of what does not fit, in graph or options; nothing was stored.
    """
    locked = lock_lane(lane)
    prove_own_graph(locked, entries, reason=reason, options=options)
    made = store_graph(locked, entries, reason, author, note)
    put_to_use(locked, made, author)
    if options is not None:
        lane.options = store_options(locked, options, author, note)
        put_to_use(locked, lane.options, author)
    lane.graph = made
    return made.version


@transaction.atomic
def use_version(version: AnyVersion, *, author: User | None = None) -> None:
    """Put a stored version to use; briefs from now on are run with it.

    Raises:
        ContractError: options or graph do not fit this code, or what else is in use.
    """
    locked = lock_lane(version.lane)
    _prove_version(locked, version)
    put_to_use(locked, version, author)


@transaction.atomic
def use_spine(
    lane: Lane,
    *,
    options: dict[str, Any] | None = None,
    author: User | None = None,
    note: str = "",
) -> None:
    """Put the lane back on the spine; its own graphs stay stored.

    Args:
        lane: which.
        options: saved with it, where those in use are for entries that the spine has not.
        author: who does it.
        note: of the options.

    Raises:
        ContractError: the options do not fit the spine; nothing changed.
    """
    locked = lock_lane(lane)
    prove_on_spine(locked, options=options)
    put_on_spine(locked, author)
    if options is not None:
        lane.options = store_options(locked, options, author, note)
        put_to_use(locked, lane.options, author)
    lane.graph = None


@transaction.atomic
def roll_back(version: AnyVersion, *, author: User | None = None) -> int:
    """Save what an old version says as a new one, which names it; return the new number.

    Raises:
        ContractError: options or graph do not fit any more; nothing was stored.
    """
    locked = lock_lane(version.lane)
    _prove_version(locked, version)
    note = f"Rolled back to version {version.version}."
    if isinstance(version, Bundle):
        made: AnyVersion = store_bundle(locked, specs_of(version), author, note)
    elif isinstance(version, LaneOptions):
        made = store_options(locked, version.entries, author, note)
    else:
        made = store_graph(locked, version.entries, version.reason, author, note)
    put_to_use(locked, made, author)
    return made.version


def _prove_version(lane: Lane, version: AnyVersion) -> None:
    if isinstance(version, LaneOptions):
        prove_options(lane, version.entries)
    elif isinstance(version, LaneGraph):
        prove_own_graph(lane, version.entries, reason=version.reason)
