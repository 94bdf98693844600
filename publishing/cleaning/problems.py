"""What is wrong with a draft for good: each with its line, its kind and the way out."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from markdown_it.token import Token

from publishing.cleaning.quotes import SourceText
from publishing.directives import Call, DirectiveError, Reading
from publishing.directives.markdown import normalise_link
from publishing.directives.plain import text_of, words_of
from publishing.payloads import Citation, FetchedSource, Grounded

LONGEST_BODY = 200_000  # characters; about 30,000 words, and what reading was tried with
_DEEPEST = 18  # blocks within blocks; markdown-it leaves out what stands deeper than 20


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        line: of the body; None for what stands outside of it.
        code: `directive`, `source`, `quote`, `link`, `image`, `html`, `heading`, `nesting`.
    """

    line: int | None
    code: str
    message: str

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


class Sources:
    """What a draft may rest on: the fetched sources, their addresses and their texts."""

    def __init__(self, grounded: Grounded) -> None:
        self.by_id: Mapping[str, FetchedSource] = {s.id: s for s in grounded.fetched}
        self._dead = {s.id: s for s in grounded.sources if s.status == "dead"}
        self._urls = {canonical(u) for s in grounded.fetched for u in (s.url, s.final_url)}
        self._texts: dict[str, SourceText] = {}

    def allows(self, url: str) -> bool:
        """Say whether the address is that of a fetched source; its fragment does not count."""
        return canonical(url) in self._urls

    def text(self, key: str) -> SourceText:
        """Return the text of a fetched source, ready for quotes."""
        if key not in self._texts:
            self._texts[key] = SourceText(self.by_id[key].text)
        return self._texts[key]

    def explain(self, key: str) -> str:
        """Say why an id cannot be cited, and which can."""
        known = ", ".join(self.by_id) or "none"
        if key in self._dead:
            return f"{key} was not fetched ({self._dead[key].problem}); fetched sources: {known}"
        return f"{key[:40]!r} is no source of this brief; fetched sources: {known}"


def canonical(url: str) -> str:
    """Return an address in one way of writing, without its fragment; other text as it is."""
    try:
        scheme, host, path, query, _ = urlsplit(normalise_link(url))
    except ValueError:
        return url
    return urlunsplit((scheme.lower(), host.lower(), path or "/", query, ""))


def find_problems(reading: Reading, sources: Sources) -> list[Problem]:
    """Return what is wrong in a body that was read with its HTML found."""
    found = [
        *(_directive_problem(error) for error in reading.errors),
        *_source_problems(reading.calls(), sources),
        *_quote_problems(reading.tokens, sources),
        *_link_problems(reading, sources),
        *_heading_problems(reading.tokens),
    ]
    return sorted(found, key=lambda problem: problem.line or 0)


def find_citation_problems(citations: list[Citation], sources: Sources) -> list[Problem]:
    """Return which of the citations name no fetched source, or quote what is not in it."""
    problems = []
    for citation in citations:
        if citation.source not in sources.by_id:
            problems.append(Problem(None, "source", sources.explain(citation.source)))
        elif citation.quote.strip() and not sources.text(citation.source).find(citation.quote):
            problems.append(_not_found(None, citation.source, citation.quote))
    return problems


def _directive_problem(error: DirectiveError) -> Problem:
    message = f"column {error.column}: {error.problem}; {error.allowed}"
    return Problem(error.line, "directive", message)


def _source_problems(calls: list[Call], sources: Sources) -> Iterator[Problem]:
    for call in calls:
        for key in call.sources:
            if key not in sources.by_id:
                yield Problem(call.line, "source", f"{call.name}: {sources.explain(key)}")


def _quote_problems(tokens: list[Token], sources: Sources) -> Iterator[Problem]:
    """Check the words of each quote; a quote within a quote is checked with both."""
    opened: list[tuple[Call | None, int]] = []
    for position, token in enumerate(tokens):
        if token.type == "directive_open":
            opened.append((token.meta["call"], position))
        elif token.type == "directive_close":
            call, start = opened.pop()
            if call and call.name == "quote" and call.sources[0] in sources.by_id:
                words = text_of(tokens[start:position])
                if not sources.text(call.sources[0]).find(words):
                    yield _not_found(call.line, call.sources[0], words)


def _not_found(line: int | None, key: str, quote: str) -> Problem:
    excerpt = " ".join(quote[:160].split())
    message = f"these words do not stand in {key}: {excerpt!r}; quote it word for word"
    return Problem(line, "quote", message)


def _link_problems(reading: Reading, sources: Sources) -> Iterator[Problem]:
    seen: set[str] = set()
    for token, line in reading.walk():
        if token.type == "link_open":
            url = str(token.attrs.get("href", ""))
            seen.add(url)
            if problem := _check_link(url, line, sources):
                yield problem
        elif token.type == "image":
            yield Problem(
                line, "image", "a body has no images; the cover is made by a stage of its own"
            )
        elif token.type in ("html_block", "html_inline"):
            yield Problem(
                line,
                "html",
                f"raw HTML: {token.content[:60].strip()!r}; write markdown, or code in backticks",
            )
        elif token.nesting == 1 and token.block and token.level > _DEEPEST:
            yield Problem(line, "nesting", "blocks stand too deep within blocks; flatten them")
    for url, line in reading.references.values():
        if url not in seen and (problem := _check_link(url, line, sources)):
            yield problem


def _check_link(url: str, line: int, sources: Sources) -> Problem | None:
    if url.startswith("#source-"):
        key = url.removeprefix("#source-")
        return None if key in sources.by_id else Problem(line, "source", sources.explain(key))
    if url.startswith("#") or sources.allows(url):
        return None
    message = f"{url[:200]!r} is no fetched source of this brief; link only those, or cite one"
    return Problem(line, "link", message)


def _heading_problems(tokens: list[Token]) -> Iterator[Problem]:
    previous = 1
    for position, token in enumerate(tokens):
        if token.type != "heading_open":
            continue
        line = token.map[0] + 1 if token.map else 1
        level = int(token.tag[1])
        if level == 1:
            yield Problem(line, "heading", "an h1 in the body; the title is the only one, use ##")
        elif level > previous + 1:
            yield Problem(line, "heading", f"h{level} after h{previous}: a level is skipped")
        if not words_of(tokens[position + 1]):
            yield Problem(line, "heading", "a heading without words")
        previous = level
