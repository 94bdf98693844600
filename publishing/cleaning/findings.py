"""What editors should know of a draft that is not wrong: length, sources, dead links."""

from collections.abc import Iterator

from publishing.cleaning.problems import Sources
from publishing.directives import Reading
from publishing.directives.rendering import heading_ids
from publishing.payloads import Brief, FetchedSource, Grounded

SUSPICIOUS = 0.5  # injection score from which an editor should look at the source


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
            yield _suspicion(source)
    yield from _dead_anchors(reading)


def find_doubts(reading: Reading, grounded: Grounded) -> Iterator[str]:
    """Yield what about the sources is a reason to have a person look at the article first."""
    cited = {key for call in reading.calls() for key in call.sources}
    for source in grounded.sources:
        if source.status == "dead" and source.found_in is None:
            yield f"{source.id} of the brief could not be read ({source.problem}): {source.url}"
        elif source.id in cited and source.injection_score >= SUSPICIOUS:
            yield _suspicion(source)


def find_length(text: str, *, least: int, most: int) -> Iterator[str]:
    """Yield a finding if the text has too few or too many words."""
    words = len(text.split())
    if words < least:
        yield f"{words} words, fewer than {least}"
    if words > most:
        yield f"{words} words, more than {most}"


def _suspicion(source: FetchedSource) -> str:
    score = f"{source.injection_score:.2f}"
    return f"{source.id} is cited and reads like orders to a model (score {score}): {source.url}"


def _dead_anchors(reading: Reading) -> Iterator[str]:
    ids = set(heading_ids(reading.tokens).values())
    for token, line in reading.walk():
        anchor = str(token.attrs.get("href", ""))
        if not anchor.startswith("#") or anchor.startswith("#source-"):
            continue
        if not {anchor[1:], f"section-{anchor[1:]}"} & ids:
            yield f"line {line}: the link {anchor[:80]} leads nowhere"
