"""Save bundles and options: each save is another immutable version, in use from then on.

The lane's row is the lock under which versions are counted; the unique constraint stands behind
it. Instances name the version that they were dispatched with, so none of this touches a run.
"""

import re
from typing import Annotated, Any

import regex
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from pydantic import AfterValidator, JsonValue, TypeAdapter, ValidationError

from lanes.contracts import AntiPattern
from lanes.models import Bundle, Lane, LaneOptions
from lanes.selection import WORKFLOW, compile_entries
from workflows.contracts import Contract
from workflows.errors import ContractError
from workflows.graphs import prove_graph

_AT_ENTRY = re.compile(r"entries\[(\d+)\](?:\.options)?\.?(.*)")


def _written(value: str) -> str:
    """Refuse what is empty or what Postgres cannot hold."""
    if not value.strip():
        raise ValueError("is empty; write at least a sentence")
    if "\x00" in value:
        raise ValueError("contains NUL, which no text may")
    return value


def _compiles(pattern: AntiPattern) -> AntiPattern:
    _written(pattern.text), _written(pattern.why)
    if pattern.pattern is not None:
        _written(pattern.pattern)
        try:
            regex.compile(pattern.pattern)
        except regex.error as error:
            raise ValueError(f"{pattern.pattern!r} is no regular expression: {error}") from None
    return pattern


Spec = Annotated[str, AfterValidator(_written)]


class Specs(Contract):
    """The four specs as an editor writes them; a bundle is these with a number and a note."""

    voice: Spec
    audience: Spec
    anti_patterns: list[Annotated[AntiPattern, AfterValidator(_compiles)]] = []
    brief_hints: Spec


def read_specs(given: object) -> Specs:
    """Return the specs, or raise ContractError with the path of the first place that is wrong."""
    try:
        return Specs.model_validate(given)
    except ValidationError as error:
        raise ContractError(*first_fault(error)) from None


def specs_of(bundle: Bundle) -> Specs:
    """Return what a stored version says."""
    return Specs(
        voice=bundle.voice,
        audience=bundle.audience,
        anti_patterns=bundle.anti_patterns,
        brief_hints=bundle.brief_hints,
    )


@transaction.atomic
def save_bundle(lane: Lane, specs: Specs, *, author: User | None = None, note: str = "") -> int:
    """Store the specs as the lane's next version, put it to use, and return its number.

    Of two editors who save at once each makes a version of their own; the later is in use.
    """
    locked = _lock(lane)
    version = _next(locked.bundles.aggregate(newest=Max("version"))["newest"])
    fields = specs.model_dump(mode="json", exclude_none=True)
    made = Bundle.objects.create(lane=locked, version=version, author=author, note=note, **fields)
    Lane.objects.filter(pk=lane.pk).update(bundle=made)
    lane.bundle = made
    return version


@transaction.atomic
def save_options(
    lane: Lane, entries: dict[str, Any], *, author: User | None = None, note: str = ""
) -> int:
    """Prove the options and store them as the lane's next version, in use from now on.

    Raises:
        ContractError: an option does not fit its step; nothing was stored.
    """
    locked = _lock(lane)
    prove_options(locked, entries)
    version = _next(locked.options_versions.aggregate(newest=Max("version"))["newest"])
    made = LaneOptions.objects.create(
        lane=locked, version=version, entries=entries, author=author, note=note
    )
    Lane.objects.filter(pk=lane.pk).update(options=made)
    lane.options = made
    return version


@transaction.atomic
def use_bundle(bundle: Bundle) -> None:
    """Put a stored version to use again; briefs from now on are written with it."""
    locked = _lock(bundle.lane)
    Lane.objects.filter(pk=locked.pk).update(bundle=bundle)


def prove_options(lane: Lane, entries: object) -> None:
    """Say whether the lane's graph can be run with these options.

    Raises:
        ContractError: with a path such as `ground.passes`.
    """
    given = _read_entries(entries)
    candidate = Lane(name=lane.name, title=lane.title, hue=lane.hue)
    candidate.options = LaneOptions(lane=candidate, entries=given)
    compiled = compile_entries(candidate)
    steps = [entry.get("name", entry["step"]) for entry in compiled if "step" in entry]
    for name in given:
        if name not in steps:
            raise ContractError(name, f"no step has this name; there are {', '.join(steps)}")
    try:
        prove_graph(compiled, workflow=WORKFLOW)
    except ContractError as error:
        raise ContractError(_path_in_options(error.path, compiled), error.message) from None


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Return path, such as `anti_patterns[2].pattern`, and message of the first fault."""
    fault = error.errors()[0]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"])
    return path.lstrip("."), fault["msg"].removeprefix("Value error, ")


def _read_entries(entries: object) -> dict[str, dict[str, Any]]:
    try:
        given = TypeAdapter(dict[str, dict[str, JsonValue]]).validate_python(entries)
    except ValidationError as error:
        path, message = first_fault(error)
        raise ContractError(path or "options", message) from None
    for name, options in given.items():
        for option, value in options.items():
            if value is None:
                raise ContractError(f"{name}.{option}", "is null; leave it out for its default")
    return given


def _path_in_options(path: str, compiled: list[dict[str, Any]]) -> str:
    found = _AT_ENTRY.fullmatch(path)
    if found is None:
        return path
    entry = compiled[int(found[1])]
    return ".".join(part for part in (entry.get("name", entry.get("step")), found[2]) if part)


def _lock(lane: Lane) -> Lane:
    return Lane.objects.select_for_update(no_key=True).get(pk=lane.pk)


def _next(newest: int | None) -> int:
    return (newest or 0) + 1
