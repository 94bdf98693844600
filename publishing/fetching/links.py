"""Links in fetched pages: which of them speak of what is asked."""

import re
from collections.abc import Iterable

from publishing.fetching.pages import Link
from publishing.payloads import Brief, FetchedSource, SourceLink

MAX_LINKS = 12  # kept of one page
_MOST_URL, _MOST_WORDS, _MOST_CONTEXT = 500, 120, 300  # characters of a kept link

_COMMON = {
    "about", "after", "also", "because", "been", "before", "being", "between", "both", "could",
    "does", "each", "every", "from", "have", "here", "into", "just", "like", "many", "more", "most",
    "much", "only", "other", "over", "same", "should", "some", "such", "than", "that", "their",
    "them", "then", "there", "these", "they", "this", "those", "under", "very", "were", "what",
    "when", "where", "which", "while", "will", "with", "would", "your",
}  # fmt: skip


def asked_by(brief: Brief) -> set[str]:
    """Return the words that the brief asks about."""
    return words_of(" ".join([brief.title, brief.summary, *brief.points]))


def words_of(text: str) -> set[str]:
    """Return the beginnings of the words that mean something: `taster` and `taste` are one."""
    words = re.findall(r"[^\W\d_]{4,}", text.casefold())
    return {word[:5] for word in words if word not in _COMMON}


def addresses_of(sources: Iterable[FetchedSource]) -> set[str]:
    """Return the addresses that need not be fetched again."""
    return {url for source in sources for url in (source.url, source.final_url)}


def keep_links(links: Iterable[Link], asked: set[str]) -> list[SourceLink]:
    """Return the links that speak most of what is asked, for a later step to follow."""
    kept: dict[str, tuple[int, SourceLink]] = {}
    for link in links:
        shared = len(asked & words_of(f"{link.text} {link.context}"))
        if shared and len(link.url) <= _MOST_URL:
            short = SourceLink(url=link.url, text=link.text[:_MOST_WORDS], context=_around(link))
            kept.setdefault(link.url, (shared, short))
    best = sorted(kept.values(), key=lambda each: -each[0])[:MAX_LINKS]
    return [link for _, link in best]


def _around(link: Link) -> str:
    """Return the words around the link, of a long paragraph those nearest to it."""
    at = max(0, link.context.find(link.text))
    start = max(0, min(at - _MOST_CONTEXT // 2, len(link.context) - _MOST_CONTEXT))
    return link.context[start : start + _MOST_CONTEXT]
