"""What a reviewer reads of one article: its text, its doubts, and what its sources say."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from publishing.cleaning.quotes import SourceText
from publishing.directives import render_body
from publishing.models import Article, Revision
from publishing.payloads import Citation, Cleaned, Cover, Draft, FetchedSource, Grounded, Persisted
from publishing.reviews import flags_of, latest_output
from publishing.site.bylines import Byline, byline_of
from workflows.models import Instance

_CONTEXT = 400  # characters of a passage that has no quote to be found by


@dataclass(frozen=True)
class Passage:
    """A citation with the words of the source around its quote."""

    citation: Citation
    source: FetchedSource
    text: str


@dataclass(frozen=True)
class Review:
    """All that speaks for and against an article.

    Attributes:
        revision: the one that would be published.
        flags: why a person should look.
        checked: what a check of the draft reported, such as the fact-check.
        findings: what clean reported besides.
        notes: entry and text of each note for the reviewer.
        cover: as publish would store it.
    """

    revision: Revision
    body: SafeString
    byline: Byline
    flags: list[str]
    checked: list[str]
    findings: list[str]
    notes: list[tuple[str, str]]
    passages: list[Passage]
    sources: list[FetchedSource]
    cover: dict[str, Any] | None


def read_review(article: Article) -> Review:
    """Return the review of an article whose run waits for one."""
    instance = article.brief.instance
    persisted = latest_output(instance, Persisted)
    if persisted is None:
        revision = article.revisions.select_related("bundle").latest("number")
    else:
        revision = Revision.objects.select_related("bundle").get(pk=persisted.revision)
    cleaned, draft = latest_output(instance, Cleaned), latest_output(instance, Draft)
    grounded, cover = latest_output(instance, Grounded), latest_output(instance, Cover)
    checked = draft.findings if draft else []
    sources = grounded.sources if grounded else []
    flags = flags_of(instance)
    told = {*checked, *flags}
    return Review(
        revision=revision,
        body=render_body(revision.body, sources=list(revision.sources.all())),
        byline=byline_of(revision),
        flags=flags,
        checked=checked,
        findings=[finding for finding in revision.findings if finding not in told],
        notes=_notes(instance),
        passages=list(_passages(cleaned.citations if cleaned else [], sources)),
        sources=sources,
        cover=cover.model_dump() if cover else None,
    )


def _notes(instance: Instance) -> list[tuple[str, str]]:
    """Return what steps wrote for the reviewer: outputs of a text and its flags."""
    live = instance.records.filter(superseded=False, output__has_keys=["flags", "text"])
    return [
        (entry, str(text))
        for entry, text in live.order_by("position").values_list("entry", "output__text")
    ]


def _passages(citations: list[Citation], sources: list[FetchedSource]) -> Iterator[Passage]:
    by_id = {source.id: source for source in sources}
    for citation in citations:
        source = by_id.get(citation.source)
        if source is not None:
            yield Passage(citation, source, _around(citation.quote, source.text))


def _around(quote: str, text: str) -> str:
    """Return the paragraph in which the quote stands, else how the source begins."""
    for paragraph in text.split("\n\n"):
        if quote and SourceText(paragraph).find(quote):
            return paragraph
    return text[:_CONTEXT]
