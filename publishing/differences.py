"""Where two JSON values differ, as JSON pointers (RFC 6901)."""

from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import Any

_ABSENT = object()


def find_differences(first: Any, second: Any, *, most: int = 100) -> list[str]:
    """Return pointers to what was added, removed or changed, in order, at most `most` of them.

    Both values are nested no deeper than `publishing.api.parsing.DEPTH_MAX`.
    """
    return list(islice(_differences("", first, second), most))


def point_to(*parts: str | int) -> str:
    """Return the pointer to a place, given the names and indexes that lead there."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _differences(pointer: str, first: Any, second: Any) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for name in sorted(first.keys() | second.keys()):
            yield from _differences(
                pointer + point_to(name), first.get(name, _ABSENT), second.get(name, _ABSENT)
            )
    elif isinstance(first, list) and isinstance(second, list):
        pairs = zip_longest(first, second, fillvalue=_ABSENT)
        for index, (one, other) in enumerate(pairs):
            yield from _differences(pointer + point_to(index), one, other)
    elif type(first) is not type(second) or first != second:  # 1 is not true
        yield pointer
