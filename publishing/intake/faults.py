"""What is wrong with a posted brief, told so that an agent can mend it at its next try."""

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

from pydantic import BaseModel, ValidationError

from publishing.fetching.addresses import refuse_literal
from publishing.intake.differences import point_to
from publishing.intake.misfits import (
    TIME_FIX,
    explain_misfit,
    fix_of_nothing,
    kind_of,
    name_place,
    shorten,
)
from publishing.intake.refusals import Fault, InvalidBriefError, UnreadableBriefIdError
from publishing.payloads import BRIEF_ID, Brief, BriefSource
from publishing.slugs import is_reserved

FAULTS_MAX = 50  # more would hide the first ones
_URL_CHARACTERS_MAX = 2048  # of BriefSource; a longer one is a fault already
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_BRIEF_ID_FIX = (
    "Send 1 to 92 of A-Z, a-z, 0-9, _ and -, not starting with -. Keep it the same at every"
    " retry: no timestamp, no attempt."
)
_UNSEEN = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # controls, formats and spaces, by Unicode's categories
# Of other categories, yet shown as nothing: fillers, an empty Braille cell, variation selectors.
_BLANKS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)


def read_object(payload: object) -> dict[str, Any]:
    """Return the body if it is an object at all.

    Raises:
        UnreadableBriefIdError: it is none, so that it has no ID either.
    """
    if isinstance(payload, dict):
        return payload
    detail = f"the body is {kind_of(payload)}; a brief is a JSON object"
    fault = Fault("", "not-an-object", detail, "Send one object, with brief_id and the rest.")
    raise UnreadableBriefIdError(detail, [fault])


def read_brief_id(payload: dict[str, Any]) -> str:
    """Return the brief's ID, exactly as it was sent.

    Raises:
        UnreadableBriefIdError: it is missing or malformed.
    """
    brief_id = payload.get("brief_id")
    if isinstance(brief_id, str) and re.fullmatch(BRIEF_ID, brief_id):
        return brief_id
    if "brief_id" not in payload:
        code, detail = "missing", "brief_id is missing"
    elif isinstance(brief_id, str):
        code, detail = "pattern", f"brief_id has {len(brief_id)} characters and does not fit"
    else:
        code, detail = "wrong-type", f"brief_id is {kind_of(brief_id)}; a string is wanted"
    raise UnreadableBriefIdError(detail, [Fault("/brief_id", code, detail, _BRIEF_ID_FIX)])


def read_brief(
    payload: dict[str, Any], *, lane_exists: bool, allowed_lanes: Collection[str]
) -> Brief:
    """Return the typed brief.

    Args:
        allowed_lanes: those that the sender may use; an unknown lane is answered with them.

    Raises:
        InvalidBriefError: with every fault found, at least one and at most `FAULTS_MAX`.
    """
    brief, misfits = _read_typed(payload)
    faults = chain(
        misfits,
        () if lane_exists else _faults_in_lane(payload.get("lane"), allowed_lanes),
        _faults_in_slug(payload.get("slug")),
        _faults_in_blanks(payload),
        _faults_in_urls(payload.get("sources")),
        _faults_in_characters(payload),
    )
    # Looked for no further than they are told: a body may hold a hundred thousand.
    found = list(islice(faults, FAULTS_MAX))
    if brief is None or found:
        raise InvalidBriefError(found)
    return brief


def _read_typed(payload: dict[str, Any]) -> tuple[Brief | None, list[Fault]]:
    """Return the brief, or None; and what its type and the form of its time refuse."""
    in_time = list(_faults_in_time(payload.get("publish_at")))
    try:
        return Brief.model_validate(_without_flood(payload)), in_time
    except ValidationError as error:
        details = error.errors(include_url=False)
    # One word on the time is enough; where ours finds nothing, pydantic's stands.
    told = [detail for detail in details if not (in_time and detail["loc"] == ("publish_at",))]
    return None, [*(explain_misfit(detail) for detail in told[:FAULTS_MAX]), *in_time]


def _without_flood(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the brief without the unknown fields that would not be told anyway."""
    kept = _without_unknown(payload, Brief)
    if isinstance(sources := kept.get("sources"), list):
        kept["sources"] = [
            _without_unknown(source, BriefSource) if isinstance(source, dict) else source
            for source in sources
        ]
    return kept


def _without_unknown(given: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    known = {name: given[name] for name in given if name in model.model_fields}
    # A name with a lone surrogate would hide where it stands; `_faults_in_characters` tells it.
    unknown = (name for name in given if name not in model.model_fields and _is_text(name))
    return known | {name: given[name] for name in islice(unknown, FAULTS_MAX)}


def _faults_in_time(value: object) -> Iterator[Fault]:
    """Yield what keeps `publish_at` from being a moment; pydantic would take numbers too."""
    if value is None:
        return
    if isinstance(value, str) and _RFC_3339.fullmatch(value):
        try:
            datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            detail = "publish_at is no moment of the calendar"
            yield Fault("/publish_at", "not-a-time", detail, TIME_FIX)
    else:
        detail = "publish_at is not a time with an offset"
        yield Fault("/publish_at", "not-a-time", detail, TIME_FIX)


def _faults_in_lane(lane: object, allowed: Collection[str]) -> Iterator[Fault]:
    if not isinstance(lane, str) or not lane:
        return  # the brief's type says so
    near = difflib.get_close_matches(shorten(lane), allowed, n=1)
    fix = f"Did you mean {near[0]}?" if near else "Use one of the allowed lanes."
    detail = f"there is no lane {shorten(lane)!a}; this sender may use {', '.join(sorted(allowed))}"
    yield Fault("/lane", "unknown-lane", detail, fix, sorted(allowed))


def _faults_in_slug(slug: object) -> Iterator[Fault]:
    if isinstance(slug, str) and is_reserved(slug):
        detail = f"the site keeps /{slug}/ for itself"
        fix = f"Choose another, such as {slug}-article, or leave slug out to have one derived."
        yield Fault("/slug", "reserved-slug", detail, fix)


def _faults_in_blanks(payload: dict[str, Any]) -> Iterator[Fault]:
    """Yield the texts that are not empty and yet show nothing."""
    for place, text in _texts(payload):
        if isinstance(text, str) and _is_blank(text):
            name = name_place(*place)
            detail = f"{name} holds nothing that can be seen"
            yield Fault(point_to(*place), "blank", detail, fix_of_nothing(name))


def _texts(payload: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], object]]:
    for name in ("title", "summary"):
        yield (name,), payload.get(name)
    for name in ("points", "tags"):
        items = payload.get(name)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            yield (name, index), item


def _is_blank(text: str) -> bool:
    return bool(text) and all(
        unicodedata.category(letter) in _UNSEEN or _BLANKS.match(letter) for letter in text
    )


def _faults_in_urls(sources: object) -> Iterator[Fault]:
    if not isinstance(sources, list):
        return
    for index, source in enumerate(sources):
        url = source.get("url") if isinstance(source, dict) else None
        if not isinstance(url, str) or not 0 < len(url) <= _URL_CHARACTERS_MAX or not _is_text(url):
            continue  # the brief's type says so
        reason = refuse_literal(url)
        if reason:
            fix = "Point to a public page, by http or https and its host's name."
            yield Fault(point_to("sources", index, "url"), "refused-address", reason, fix)


def _faults_in_characters(value: object, *place: str | int) -> Iterator[Fault]:
    """Yield where a NUL stands, and the names that are no text."""
    if isinstance(value, str) and "\x00" in value:
        detail = f"{name_place(*place)} contains NUL, which no text may"
        yield Fault(point_to(*place), "not-text", detail, "Remove the character U+0000.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            if not _is_text(name):
                detail = f"the name {shorten(name)} holds a lone surrogate, which is no character"
                fix = "Send whole characters, in UTF-8, or remove the field."
                yield Fault(point_to(*place, name), "not-text", detail, fix)
            yield from _faults_in_characters(inner, *place, name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _faults_in_characters(inner, *place, index)


def _is_text(value: str) -> bool:
    """Whether it can be encoded; a lone surrogate is a fault of its own."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
