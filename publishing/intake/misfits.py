"""One error of the brief's type, told as a fault: what is wrong, where, and what would help."""

import difflib

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from publishing.intake.differences import point_to
from publishing.intake.refusals import Fault
from publishing.payloads import Brief, BriefSource

TIME_FIX = "Write RFC 3339 with an offset, such as 2027-03-01T09:00:00Z."
WANTED = {
    "lane": "the name of a lane",
    "title": "a string of 1 to 200 characters",
    "summary": "what the article is to say, 1 to 2,000 characters",
    "url": "the address of a page, http or https",
}  # of the fields that are needed
_NAME_CHARACTERS_SHOWN = 60
_MESSAGE_CHARACTERS_SHOWN = 300
_TYPES = {"string_type": "a string", "list_type": "a list", "model_type": "an object"}


def explain_misfit(error: ErrorDetails) -> Fault:
    """Return pydantic's error as a fault of the brief."""
    pointer, name = point_to(*error["loc"]), name_place(*error["loc"])
    context = error.get("ctx", {})
    value = error["input"]
    match error["type"]:
        case "missing":
            wanted = WANTED.get(name, "it")
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
            return Fault(pointer, "too-short", f"{name} is empty", fix_of_nothing(name))
        case "string_pattern_mismatch":
            pattern = context["pattern"].strip("^$")
            detail = f"{name} does not fit {pattern}"
            return Fault(pointer, "pattern", detail, f"Use only what {pattern} allows.")
        case "string_type" | "list_type" | "model_type" as kind:
            detail = f"{name} is {kind_of(value)}; {_TYPES[kind]} is wanted"
            return Fault(pointer, "wrong-type", detail, f"Send {_TYPES[kind]}.")
        case "string_unicode":
            detail = f"{name} holds a lone surrogate, which is no character"
            return Fault(pointer, "not-text", detail, "Send whole characters, in UTF-8.")
        case _:
            return _other(pointer, name, error)


def name_place(*place: str | int) -> str:
    """Return what to call a place: its field's name, or `item 0 of points`."""
    if not place:
        return "the brief"
    *above, last = place
    return shorten(last) if isinstance(last, str) else f"item {last} of {name_place(*above)}"


def shorten(name: str, most: int = _NAME_CHARACTERS_SHOWN) -> str:
    """Return the name as it can be sent and read: lone surrogates escaped, the end cut."""
    text = name[: most + 1].encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= most else text[:most] + "…"


def fix_of_nothing(name: str) -> str:
    """Return what to do about a field or an item in which nothing stands."""
    if name in WANTED:
        return f"Write it, for it is needed: {WANTED[name]}."
    return "Write something there, or remove the item."  # no optional field has a least length


def kind_of(value: object) -> str:
    """Return the JSON type of a value, in words."""
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


def _unknown_field(pointer: str, name: str, model: type[BaseModel]) -> Fault:
    known = list(model.model_fields)
    near = difflib.get_close_matches(name, known, n=1)
    fix = f"Did you mean {near[0]}? Otherwise remove it." if near else "Remove it."
    detail = f"{name} is no field here; there are {', '.join(known)}"
    return Fault(pointer, "unknown-field", detail, fix, known)


def _too_long(pointer: str, name: str, length: int, limit: int) -> Fault:
    detail = f"{name} is {length:,} characters long; the limit is {limit:,}"
    return Fault(pointer, "too-long", detail, f"Shorten it by {length - limit:,} characters.")


def _other(pointer: str, name: str, error: ErrorDetails) -> Fault:
    detail = f"{name}: {shorten(error['msg'], _MESSAGE_CHARACTERS_SHOWN)}"
    if error["loc"] == ("publish_at",):
        return Fault(pointer, "not-a-time", detail, TIME_FIX)
    return Fault(pointer, "invalid", detail, "Send what is asked for.")


def _model_at(place: tuple[str | int, ...]) -> type[BaseModel]:
    return BriefSource if place[0] == "sources" and len(place) > 1 else Brief
