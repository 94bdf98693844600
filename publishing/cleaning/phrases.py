"""What editors' patterns find in an article; each has a time, and all together have one."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import regex

from lanes.contracts import AntiPattern

SECONDS_A_PATTERN = 0.25  # editors write patterns; some take exponential time
SECONDS_IN_ALL = 10.0  # what forty of those take; the rest is reported as not looked for
_MOST_SHOWN = 3


@dataclass(frozen=True)
class Found:
    """What one pattern found.

    Attributes:
        places: the first matches, quoted.
        in_time: False where the pattern was left because of the time that it took.
    """

    places: tuple[str, ...]
    in_time: bool = True


class PhraseSearch:
    """Looks for patterns in one text, blind to case, until the time for all of them is over."""

    def __init__(self, text: str, *, seconds: float = SECONDS_IN_ALL) -> None:
        self._text = text
        self._ends_at = time.monotonic() + seconds

    def find(self, pattern: str) -> Found:
        """Return the first places that the pattern matches, within its time."""
        places: list[str] = []
        left = min(SECONDS_A_PATTERN, self._ends_at - time.monotonic())
        if left <= 0:
            return Found((), in_time=False)
        try:
            for match in compile_pattern(pattern).finditer(self._text, timeout=left):
                places.append(repr(" ".join(match[0][:80].split())))
                if len(places) == _MOST_SHOWN:
                    break
        except TimeoutError:
            return Found(tuple(places), in_time=False)
        return Found(tuple(places))


def compile_pattern(pattern: str) -> "regex.Pattern[str]":
    """Return the pattern, blind to case; raises ValueError where it is none."""
    try:
        return regex.compile(pattern, regex.IGNORECASE)
    except regex.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None


def find_phrases(search: PhraseSearch, patterns: Iterable[str]) -> Iterator[str]:
    """Yield a finding for each pattern that the text matches, with its first places."""
    for pattern in patterns:
        found = search.find(pattern)
        if not found.in_time:
            yield f"the pattern {pattern!r} took too long and was left; simplify it"
        if found.places:
            yield f"the pattern {pattern!r} matches: {', '.join(found.places)}"


def find_anti_patterns(
    search: PhraseSearch, anti_patterns: Iterable[AntiPattern]
) -> Iterator[tuple[str, bool]]:
    """Yield what the lane does not print and this text has, and whether it flags the article.

    One whose pattern takes too long is told as well: nobody knows then whether it is there.
    """
    for each in anti_patterns:
        if each.pattern is None:
            continue
        found = search.find(each.pattern)
        is_flag = each.severity == "flag"
        if not found.in_time:
            told = f"its pattern {each.pattern!r} took too long and was left; simplify it"
            yield f"anti-pattern {each.text!r} could not be looked for: {told}", is_flag
        if found.places:
            yield f"anti-pattern {each.text!r}: {', '.join(found.places)}. {each.why}", is_flag
