"""The author that needs no model: it composes an article of its sources' own sentences.

Every sentence is the sources' or the routine's; none is invented. The same brief and sources
always make the same article.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from publishing.payloads import Brief, Citation, FetchedSource, Grounded
from publishing.writing.extracts import (
    Passage,
    choose,
    choose_lead,
    count_words,
    escape,
    find_quotation,
    is_quotable,
    read_passages,
    shorten,
)

_MOST_WORDS = 780  # of a body without its headings; with them it stays below 900
_NOTE_WORDS = 120  # of the points in the note
_QUOTE_WORDS = 40
_NOTES = "notes"  # stands in a passage for the source's id, where the routine's notes are used


@dataclass(frozen=True)
class Composition:
    """An article, before its bundle and byline are known."""

    title: str
    summary: str
    body: str
    citations: list[Citation]


def compose(brief: Brief, grounded: Grounded) -> Composition:
    """Compose the article of a brief; without sources, of its points and notes.

    The body has at most 900 words, and 450 where the sources have as many. Each paragraph is
    cited, and each fetched source at least once.
    """
    sources = grounded.fetched
    passages = [p for s in sources for p in read_passages(s.text, source=s.id, title=_title(s))]
    if passages:
        body, citations = _compose_of_sources(brief, sources, passages)
    else:
        body, citations = _compose_of_notes(brief, sources), []
    return Composition(brief.title, brief.summary, body, citations)


def _compose_of_sources(
    brief: Brief, sources: Sequence[FetchedSource], passages: Sequence[Passage]
) -> tuple[str, list[Citation]]:
    note = _note(brief.points)
    quotation = find_quotation(passages, brief, most_words=_QUOTE_WORDS)
    if quotation:
        passages = [passage.without(quotation) for passage in passages]
    spent = count_words(note) + _QUOTE_WORDS
    chosen = choose([p for p in passages if p.sentences], brief, most_words=_MOST_WORDS - spent)
    chosen = choose_lead(chosen, brief)
    blocks = [*_paragraphs(chosen, note, quotation), *_left_over(sources, chosen, quotation, note)]
    cited = [*([quotation] if quotation else []), *chosen]
    return "\n\n".join(blocks), _citations(sources, cited)


def _compose_of_notes(brief: Brief, sources: Sequence[FetchedSource]) -> str:
    note = _note(brief.points)
    materials = (brief.notes or "", brief.summary, brief.title)
    read = (read_passages(material, source=_NOTES, title="") for material in materials)
    passages: list[Passage] = next(filter(None, read), [])
    most = max(1, _MOST_WORDS - count_words(note))
    chosen = choose(passages, brief, most_words=most)
    blocks = [*_paragraphs(chosen, note, None), *(f"::source[{s.id}]" for s in sources)]
    return "\n\n".join(blocks)


def _paragraphs(chosen: Sequence[Passage], note: str, quotation: Passage | None) -> Iterator[str]:
    """Yield the blocks: a lead, the points, then sections, the quote after its source's last."""
    heading = ""
    last_of_source = {passage.source: i for i, passage in enumerate(chosen)}
    if quotation and quotation.source not in last_of_source:
        yield _quote(quotation)
    for i, passage in enumerate(chosen):
        if i and passage.heading and passage.heading != heading:
            yield f"## {escape(passage.heading)}"
        heading = passage.heading
        yield _cited(passage)
        if i == 0 and note:
            yield note
        if quotation and last_of_source[passage.source] == i and passage.source == quotation.source:
            yield _quote(quotation)
    if not chosen and note:
        yield note


def _left_over(
    sources: Sequence[FetchedSource],
    chosen: Sequence[Passage],
    quotation: Passage | None,
    note: str,
) -> Iterator[str]:
    """Yield a card for each source that the text does not cite, one at least where all is plain."""
    cited = {passage.source for passage in chosen}
    missing = [source for source in sources if source.id not in cited]
    if not missing and not quotation and not note:
        missing = [source for source in sources if source.id in cited][:1]
    for source in missing:
        yield f"::source[{source.id}]"


def _cited(passage: Passage) -> str:
    text = escape(" ".join(passage.sentences))
    return text if passage.source == _NOTES else f"{text} :cite[{passage.source}]"


def _quote(quotation: Passage) -> str:
    words = escape(quotation.sentences[0])
    return f':::quote{{source="{quotation.source}"}}\n{words}\n:::'


def _note(points: Sequence[str]) -> str:
    """Return the points as a note, as many as fit; nothing where there are none."""
    kept: list[str] = []
    for point in points:
        line = " ".join(point.split())
        if kept and count_words(" ".join([*kept, line])) > _NOTE_WORDS:
            break
        if line:
            kept.append(line)
    if not kept:
        return ""
    return "\n".join([":::note[In short]", *(f"- {escape(line)}" for line in kept), ":::"])


def _citations(sources: Sequence[FetchedSource], cited: Sequence[Passage]) -> list[Citation]:
    """Return one quote a source: the first sentence of it that the article uses whole."""
    citations = []
    for source in sources:
        sentences = [
            s for passage in cited if passage.source == source.id for s in passage.sentences
        ]
        quote = next((s for s in sentences if is_quotable(s, source.text)), "")
        citations.append(Citation(source=source.id, quote=quote))
    return citations


def _title(source: FetchedSource) -> str:
    return shorten(source.title or source.site, most_words=12)
