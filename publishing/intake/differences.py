"""Where two JSON values differ, as JSON pointers (RFC 6901)."""

from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import Any

POINTER_CHARACTERS_SHOWN = 200
_ABSENT = object()


def find_differences(first: Any, second: Any, *, most: int = 100) -> list[str]:
    """Return pointers to what was added, removed or changed, in order, at most `most` of them.

    Both values are nested no deeper than `publishing.api.parsing.DEPTH_MAX`.
    """
    return list(islice(_differences(first, second), most))


def point_to(*parts: str | int) -> str:
    """Return the pointer to a place, given the names and indexes that lead there.

    One that would be longer than `POINTER_CHARACTERS_SHOWN` is cut and ends in `…`: names are the
    sender's, and an answer quotes many. Lone surrogates, which cannot be sent, are escaped.
    """
    pointer = "".join("/" + _escape(str(part)) for part in parts)
    if len(pointer) <= POINTER_CHARACTERS_SHOWN:
        return pointer
    return pointer[:POINTER_CHARACTERS_SHOWN] + "…"


def _escape(part: str) -> str:
    shown = part[: POINTER_CHARACTERS_SHOWN + 1].replace("~", "~0").replace("/", "~1")
    return shown.encode("utf-8", "backslashreplace").decode()


def _differences(first: Any, second: Any, *place: str | int) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for name in sorted(first.keys() | second.keys()):
            yield from _differences(
                first.get(name, _ABSENT), second.get(name, _ABSENT), *place, name
            )
    elif isinstance(first, list) and isinstance(second, list):
        pairs = zip_longest(first, second, fillvalue=_ABSENT)
        for index, (one, other) in enumerate(pairs):
            yield from _differences(one, other, *place, index)
    elif type(first) is not type(second) or first != second:  # 1 is not true
        yield point_to(*place)
