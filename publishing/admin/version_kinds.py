"""What a lane has versions of, for the pages that treat bundles, options and graphs alike."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

from lanes.compiler import Entries
from lanes.models import Bundle, Lane, LaneGraph, LaneOptions
from lanes.specs import specs_of
from lanes.spine import SPINE
from lanes.storing import AnyVersion

Part = tuple[str, list[str]]  # a heading, and the lines under it


@dataclass(frozen=True)
class Kind:
    """One of the three.

    Attributes:
        name: the lane's field that names the version in use.
        versions: the lane's versions of this kind.
        parts: what a version says, as headings with lines.
    """

    name: str
    title: str
    model: type[AnyVersion]
    versions: str
    parts: Callable[[Any], list[Part]]


@dataclass(frozen=True)
class Use:
    """A span in which a version was in use; `until` is None for now."""

    since: datetime
    until: datetime | None
    by: str


@dataclass(frozen=True)
class VersionRow:
    """A version as lists show it; one without a use is a draft."""

    version: Any
    in_use: bool
    uses: list[Use]

    @property
    def is_draft(self) -> bool:
        """Whether it was never put to use."""
        return not self.uses


def read_versions(lane: Lane, kind: Kind, *, limit: int) -> list[VersionRow]:
    """Return the newest versions with when each was in use."""
    rows = getattr(lane, kind.versions).select_related("author").order_by("-version")[:limit]
    uses = _uses(lane, kind)
    now = getattr(lane, f"{kind.name}_id")
    return [VersionRow(row, row.pk == now, uses.get(row.pk, [])) for row in rows]


def kind_of(version: AnyVersion) -> Kind:
    """Return the kind of a version."""
    return next(kind for kind in KINDS.values() if isinstance(version, kind.model))


def parts_of(version: AnyVersion) -> list[Part]:
    """Return what a version says."""
    return kind_of(version).parts(version)


def lines_of(entries: Entries) -> str:
    """Return a graph's entries as JSON that is read and edited line by line: one an entry."""
    if not entries:
        return "[]"
    return "[\n" + ",\n".join(f"  {_line(entry)}" for entry in entries) + "\n]"


def spine_parts() -> list[Part]:
    """Return the spine as a graph version would say it."""
    return _entry_parts(SPINE)


def _uses(lane: Lane, kind: Kind) -> dict[int | None, list[Use]]:
    rows = list(lane.uses.filter(kind=kind.name).select_related("author").order_by("pk"))
    found: dict[int | None, list[Use]] = {}
    for row, after in zip_longest(rows, rows[1:]):
        by = row.author.get_username() if row.author else "a command"
        span = Use(row.used_at, after.used_at if after else None, by)
        found.setdefault(getattr(row, f"{kind.name}_id"), []).append(span)
    return found


def _bundle_parts(bundle: Bundle) -> list[Part]:
    specs = specs_of(bundle)
    patterns: list[str] = []
    for each in specs.anti_patterns:
        found_by = f" Found by {each.pattern}" if each.pattern else ""
        patterns.append(f"{each.text} Why: {each.why} ({each.severity}){found_by}")
    return [
        ("Voice", specs.voice.split("\n")),
        ("Audience", specs.audience.split("\n")),
        ("Anti-patterns", patterns),
        ("Brief hints", specs.brief_hints.split("\n")),
    ]


def _options_parts(version: LaneOptions) -> list[Part]:
    lines = [
        f"{entry}.{option} = {_line(value)}"
        for entry, options in sorted(version.entries.items())
        for option, value in sorted(options.items())
    ]
    return [("Options", lines)]


def _graph_parts(version: LaneGraph) -> list[Part]:
    reason = [("Reason", [version.reason])] if version.reason else []
    return [*_entry_parts(version.entries), *reason]


def _entry_parts(entries: Entries) -> list[Part]:
    return [("Entries", [_line(entry) for entry in entries])]


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


KINDS: Mapping[str, Kind] = {
    "bundle": Kind("bundle", "Bundle", Bundle, "bundles", _bundle_parts),
    "options": Kind("options", "Options", LaneOptions, "options_versions", _options_parts),
    "graph": Kind("graph", "Graph", LaneGraph, "graphs", _graph_parts),
}
