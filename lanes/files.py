"""Lanes as a TOML file: read and proved whole before anything is written, and written back.

The file is where lanes begin; from then on the database is where they live. What the file says
is loaded once: specs or options that a lane has had in any version change nothing, so that
loading an unchanged file again does not undo an editor's work.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from django.db import transaction
from pydantic import AfterValidator, Field, JsonValue, StringConstraints, ValidationError

from lanes.models import Bundle, Lane
from lanes.versions import (
    Specs,
    first_fault,
    prove_options,
    save_bundle,
    save_options,
    specs_of,
    use_bundle,
)
from workflows.contracts import Contract
from workflows.errors import ContractError

LANE_FIELDS = ("title", "description", "hue", "place", "closed_because")


class LanesFileError(Exception):
    """The file does not fit; nothing was written.

    Attributes:
        problems: one line each, with lane and field.
    """

    def __init__(self, file: str, problems: list[str]) -> None:
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))
        self.problems = problems


def _without_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("contains NUL, which no text may")
    return value


def _text(longest: int, *, least: int = 0) -> Any:
    return Annotated[
        str,
        StringConstraints(min_length=least, max_length=longest),
        AfterValidator(_without_nul),
    ]


class BundleInFile(Specs):
    """A bundle's specs, with the note that its version will carry."""

    note: _text(300) = ""  # type: ignore[valid-type]

    @property
    def specs(self) -> Specs:
        """The four specs alone."""
        return Specs(**{name: getattr(self, name) for name in Specs.model_fields})


class LaneInFile(Contract):
    """One `[[lane]]`; `place` is its position in the file where it is not given."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    title: _text(60, least=1)  # type: ignore[valid-type]
    description: _text(300) = ""  # type: ignore[valid-type]
    hue: Annotated[int, Field(ge=0, le=359)] = 210
    place: Annotated[int, Field(ge=0, le=32767)] | None = None
    closed_because: _text(300) = ""  # type: ignore[valid-type]
    bundle: BundleInFile
    options: dict[str, dict[str, JsonValue]] = {}


@dataclass
class Loaded:
    """What loading did to one lane.

    Attributes:
        bundle: number of the version that was made or put to use, or None.
        options: likewise.
        kept: fields in which the database differs from the file and was left as it is.
        updated: fields that were taken from the file.
    """

    lane: str
    created: bool = False
    bundle: int | None = None
    options: int | None = None
    kept: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return bool(self.created or self.bundle or self.options or self.updated)


def read_lanes(file: Path) -> list[LaneInFile]:
    """Return the file's lanes, proved against the steps of this code.

    Raises:
        LanesFileError: with every problem; a path is `lane: field: what`.
    """
    try:
        document = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LanesFileError(str(file), [str(error)]) from None
    rows = document.get("lane")
    problems = [f"{key}: is unknown; there is only [[lane]]" for key in document if key != "lane"]
    if not isinstance(rows, list) or not rows:
        raise LanesFileError(str(file), [*problems, "has no [[lane]]"])
    lanes: list[LaneInFile] = []
    for number, row in enumerate(rows, 1):
        try:
            lanes.append(_read_lane(row))
        except ContractError as error:
            named = row.get("name") if isinstance(row, dict) else None
            problems.append(f"lane {named or number}: {error}")
    names = [lane.name for lane in lanes]
    problems += [f"lane {name}: stands twice" for name in set(names) if names.count(name) > 1]
    if problems:
        raise LanesFileError(str(file), problems)
    return lanes


@transaction.atomic
def load_lanes(
    lanes: Iterable[LaneInFile], *, source: str, overwrite: bool = False
) -> list[Loaded]:
    """Write what is new in the file, all of it or nothing.

    Args:
        source: the file's name, for the note of a version that brings none of its own.
        overwrite: the file wins over what was edited since; else a lane's fields are kept.
    """
    # By name, so that two loads lock rows in the same order.
    numbered = sorted(enumerate(lanes), key=lambda item: item[1].name)
    done = {place: _load(lane, place, source, overwrite=overwrite) for place, lane in numbered}
    return [done[place] for place in sorted(done)]


def describe_lanes() -> list[dict[str, Any]]:
    """Return all lanes with their current versions, in the shape of the file."""
    rows = Lane.objects.select_related("bundle", "options").exclude(bundle=None)
    return [
        _describe(lane, lane.bundle, position)
        for position, lane in enumerate(rows)
        if lane.bundle is not None
    ]


def _read_lane(row: object) -> LaneInFile:
    try:
        lane = LaneInFile.model_validate(row)
    except ValidationError as error:
        raise ContractError(*first_fault(error)) from None
    try:
        prove_options(Lane(name=lane.name, title=lane.title, hue=lane.hue), lane.options)
    except ContractError as error:
        raise ContractError(f"options.{error.path}", error.message) from None
    return lane


def _load(given: LaneInFile, position: int, source: str, *, overwrite: bool) -> Loaded:
    fields = given.model_dump(include=set(LANE_FIELDS))
    if given.place is None:
        fields["place"] = position
    lane, created = Lane.objects.get_or_create(name=given.name, defaults=fields)
    lane = Lane.objects.select_for_update(of=("self",), no_key=True).get(pk=lane.pk)
    done = Loaded(lane=given.name, created=created)
    differing = [name for name, value in fields.items() if getattr(lane, name) != value]
    if overwrite and differing:
        Lane.objects.filter(pk=lane.pk).update(**{name: fields[name] for name in differing})
        done.updated = differing
    else:
        done.kept = differing
    done.bundle = _load_bundle(lane, given.bundle, source, done, overwrite=overwrite)
    done.options = _load_options(lane, given.options, source, done, overwrite=overwrite)
    return done


def _load_bundle(
    lane: Lane, given: BundleInFile, source: str, done: Loaded, *, overwrite: bool
) -> int | None:
    if lane.bundle and specs_of(lane.bundle) == given.specs:
        return None
    known = next((b for b in lane.bundles.all() if specs_of(b) == given.specs), None)
    if known is None:
        is_own_note = given.note and not lane.bundles.filter(note=given.note).exists()
        note = given.note if is_own_note else f"Loaded from {source}"[:300]
        return save_bundle(lane, given.specs, note=note)
    if overwrite:
        use_bundle(known)
        return known.version
    done.kept.append("bundle")
    return None


def _load_options(
    lane: Lane, given: dict[str, Any], source: str, done: Loaded, *, overwrite: bool
) -> int | None:
    if lane.options and lane.options.entries == given:
        return None
    is_known = any(version.entries == given for version in lane.options_versions.all())
    if not is_known or overwrite:
        return save_options(lane, given, note=f"Loaded from {source}"[:300])
    done.kept.append("options")
    return None


def _describe(lane: Lane, bundle: Bundle, position: int) -> dict[str, Any]:
    described: dict[str, Any] = {"name": lane.name}
    for name in LANE_FIELDS:
        value = getattr(lane, name)
        if name in ("title", "hue") or (value != position if name == "place" else value):
            described[name] = value
    specs = specs_of(bundle).model_dump(exclude_none=True)
    patterns = specs.pop("anti_patterns")
    described["bundle"] = specs | {"note": bundle.note, "anti_patterns": patterns}
    described["options"] = lane.options.entries if lane.options else {}
    return described
