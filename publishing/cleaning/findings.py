"""What editors should know of a draft that is not wrong: length, sources, phrases."""

from collections.abc import Iterator

import regex

from publishing.cleaning.problems import Sources
from publishing.directives import Reading
from publishing.directives.rendering import heading_ids
from publishing.payloads import Brief

SUSPICIOUS = 0.5  # injection score from which an editor should look at the source
_SECONDS_A_PATTERN = 0.25  # editors write patterns; some take exponential time
_MOST_SHOWN = 3


def find_noteworthy(reading: Reading, sources: Sources, brief: Brief) -> Iterator[str]:
    """Yield what is missing or doubtful in the body's use of directives and sources."""
    calls = reading.calls()
    cited = {key for call in calls for key in call.sources}
    if not calls:
        yield "no directive stands in the body"
    if brief.sources and not any(call.name == "cite" for call in calls):
        yield f"nothing is cited, though the brief names {len(brief.sources)} sources"
    for key, source in sources.by_id.items():
        if key not in cited:
            yield f"{key} is never cited: {source.title or source.url}"
        elif source.injection_score >= SUSPICIOUS:
            yield (
                f"{key} is cited and reads like orders to a model "
                f"(score {source.injection_score:.2f}): {source.url}"
            )
    yield from _dead_anchors(reading)


def find_length(text: str, *, least: int, most: int) -> Iterator[str]:
    """Yield a finding if the text has too few or too many words."""
    words = len(text.split())
    if words < least:
        yield f"{words} words, fewer than {least}"
    if words > most:
        yield f"{words} words, more than {most}"


def find_phrases(text: str, patterns: list[str]) -> Iterator[str]:
    """Yield a finding for each pattern that the text matches, with its first places."""
    for pattern in patterns:
        places: list[str] = []
        try:
            for found in compile_pattern(pattern).finditer(text, timeout=_SECONDS_A_PATTERN):
                places.append(repr(" ".join(found[0][:80].split())))
                if len(places) == _MOST_SHOWN:
                    break
        except TimeoutError:
            yield f"the pattern {pattern!r} took too long and was left; simplify it"
        if places:
            yield f"the pattern {pattern!r} matches: {', '.join(places)}"


def compile_pattern(pattern: str) -> "regex.Pattern[str]":
    """Return the pattern, blind to case; raises ValueError where it is none."""
    try:
        return regex.compile(pattern, regex.IGNORECASE)
    except regex.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None


def _dead_anchors(reading: Reading) -> Iterator[str]:
    ids = set(heading_ids(reading.tokens).values())
    for token, line in reading.walk():
        anchor = str(token.attrs.get("href", ""))
        if not anchor.startswith("#") or anchor.startswith("#source-"):
            continue
        if not {anchor[1:], f"section-{anchor[1:]}"} & ids:
            yield f"line {line}: the link {anchor[:80]} leads nowhere"
