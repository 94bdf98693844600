"""What is wrong with a posted brief, told so that an agent can mend it at its next try."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from publishing.differences import point_to
from publishing.payloads import BRIEF_ID, Brief, BriefSource
from publishing.providers.addresses import refuse_literal
from publishing.refusals import Fault, InvalidBriefError, UnreadableBriefIdError

FAULTS_MAX = 50  # more would hide the first ones
_NAME_CHARACTERS_SHOWN = 60
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TIME_FIX = "Write RFC 3339 with an offset, such as 2027-03-01T09:00:00Z."
_BRIEF_ID_FIX = (
    "Send 1 to 92 of A-Z, a-z, 0-9, _ and -, not starting with -. Keep it the same at every"
    " retry: no timestamp, no attempt."
)
_WANTED = {
    "lane": "the name of a lane",
    "title": "a string of 1 to 200 characters",
    "summary": "what the article is to say, 1 to 2,000 characters",
    "url": "the address of a page, http or https",
}
_TYPES = {"string_type": "a string", "list_type": "a list", "model_type": "an object"}


def read_object(payload: object) -> dict[str, Any]:
    """Return the body if it is an object at all.

    Raises:
        UnreadableBriefIdError: it is none, so that it has no ID either.
    """
    if isinstance(payload, dict):
        return payload
    detail = f"the body is {_kind(payload)}; a brief is a JSON object"
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
        code, detail = "wrong-type", f"brief_id is {_kind(brief_id)}; a string is wanted"
    raise UnreadableBriefIdError(detail, [Fault("/brief_id", code, detail, _BRIEF_ID_FIX)])


def read_brief(
    payload: dict[str, Any], *, lane_exists: bool, allowed_lanes: Collection[str]
) -> Brief:
    """Return the typed brief.

    Args:
        allowed_lanes: those that the sender may use; an unknown lane is answered with them.

    Raises:
        InvalidBriefError: with every fault found, at most `FAULTS_MAX`.
    """
    faults: list[Fault] = []
    brief: Brief | None = None
    try:
        brief = Brief.model_validate(payload)
    except ValidationError as error:
        details = error.errors(include_url=False)[:FAULTS_MAX]
        faults += [_fault_of(detail) for detail in details if detail["loc"] != ("publish_at",)]
    faults += _faults_in_time(payload.get("publish_at"))
    if not lane_exists:
        faults += _faults_in_lane(payload.get("lane"), allowed_lanes)
    faults += _faults_in_urls(payload.get("sources"))
    faults += _nul_faults("", payload)
    if faults or brief is None:
        raise InvalidBriefError(faults[:FAULTS_MAX])
    return brief


def _fault_of(error: ErrorDetails) -> Fault:
    pointer, name = point_to(*error["loc"]), _shown(error["loc"][-1] if error["loc"] else "body")
    context = error.get("ctx", {})
    value = error["input"]
    match error["type"]:
        case "missing":
            wanted = _WANTED.get(name, "it")
            return Fault(pointer, "missing", f"{name} is missing", f"Add {name}: {wanted}.")
        case "extra_forbidden":
            return _unknown_field(pointer, name, _model_at(error["loc"]))
        case "string_too_long":
            return _too_long(pointer, name, len(value), context["max_length"])
        case "too_long":
            most = context["max_length"]
            detail = f"{name} has {len(value)} items; the limit is {most}"
            return Fault(pointer, "too-many", detail, f"Remove {len(value) - most} of them.")
        case "string_too_short":
            return Fault(pointer, "too-short", f"{name} is empty", "Write it, or leave it out.")
        case "string_pattern_mismatch":
            pattern = context["pattern"].strip("^$")
            detail = f"{name} does not fit {pattern}"
            return Fault(pointer, "pattern", detail, f"Use only what {pattern} allows.")
        case "string_type" | "list_type" | "model_type" as kind:
            detail = f"{name} is {_kind(value)}; {_TYPES[kind]} is wanted"
            return Fault(pointer, "wrong-type", detail, f"Send {_TYPES[kind]}.")
        case "string_unicode":
            detail = f"{name} holds a lone surrogate, which is no character"
            return Fault(pointer, "not-text", detail, "Send whole characters, in UTF-8.")
        case _:
            return Fault(pointer, "invalid", f"{name}: {error['msg']}", "Send what is asked for.")


def _unknown_field(pointer: str, name: str, model: type[BaseModel]) -> Fault:
    known = list(model.model_fields)
    near = difflib.get_close_matches(name, known, n=1)
    fix = f"Did you mean {near[0]}? Otherwise remove it." if near else "Remove it."
    detail = f"{name} is no field here; there are {', '.join(known)}"
    return Fault(pointer, "unknown-field", detail, fix, known)


def _too_long(pointer: str, name: str, length: int, limit: int) -> Fault:
    detail = f"{name} is {length:,} characters long; the limit is {limit:,}"
    return Fault(pointer, "too-long", detail, f"Shorten it by {length - limit:,} characters.")


def _faults_in_time(value: object) -> Iterator[Fault]:
    """Yield what keeps `publish_at` from being a moment; pydantic would take numbers too."""
    if value is None:
        return
    if isinstance(value, str) and _RFC_3339.fullmatch(value):
        try:
            datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            detail = "publish_at is no moment of the calendar"
            yield Fault("/publish_at", "not-a-time", detail, _TIME_FIX)
    else:
        detail = "publish_at is not a time with an offset"
        yield Fault("/publish_at", "not-a-time", detail, _TIME_FIX)


def _faults_in_lane(lane: object, allowed: Collection[str]) -> Iterator[Fault]:
    if not isinstance(lane, str) or not lane:
        return  # the brief's type says so
    near = difflib.get_close_matches(_shown(lane), allowed, n=1)
    fix = f"Did you mean {near[0]}?" if near else "Use one of the allowed lanes."
    detail = f"there is no lane {_shown(lane)!a}; this sender may use {', '.join(sorted(allowed))}"
    yield Fault("/lane", "unknown-lane", detail, fix, sorted(allowed))


def _faults_in_urls(sources: object) -> Iterator[Fault]:
    if not isinstance(sources, list):
        return
    for index, source in enumerate(sources[:FAULTS_MAX]):
        url = source.get("url") if isinstance(source, Mapping) else None
        reason = refuse_literal(url) if isinstance(url, str) and _is_text(url) else None
        if reason:
            fix = "Point to a public page, by http or https and its host's name."
            yield Fault(point_to("sources", index, "url"), "refused-address", reason, fix)


def _nul_faults(pointer: str, value: object) -> Iterator[Fault]:
    if isinstance(value, str) and "\x00" in value:
        detail = "contains NUL, which no text may"
        yield Fault(pointer, "not-text", detail, "Remove the character U+0000.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _nul_faults(pointer + point_to(name), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _nul_faults(pointer + point_to(index), inner)


def _is_text(value: str) -> bool:
    """Whether it can be encoded; a lone surrogate is a fault of its own."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _model_at(place: tuple[str | int, ...]) -> type[BaseModel]:
    return BriefSource if place[0] == "sources" and len(place) > 1 else Brief


def _shown(name: str | int) -> str:
    text = str(name)
    return text if len(text) <= _NAME_CHARACTERS_SHOWN else text[:_NAME_CHARACTERS_SHOWN] + "…"


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
