"""What the fetched sources leave open of a brief, and which of their links bear on that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from publishing.fetching.links import addresses_of, words_of
from publishing.payloads import Brief, FetchedSource
from publishing.writing.extracts import split_sentences

COVERED = 0.7  # share of a question's words that stand together in one paragraph of a source
_LEAST_SHARED = 2  # words that a link shares with a question, if the question has so many


@dataclass(frozen=True)
class Lead:
    """A link to follow.

    Attributes:
        title: the words of the link.
        found_in: id of the source in which it stands.
        shared: words that it shares with open questions; more is better.
    """

    url: str
    title: str
    found_in: str
    shared: int


def open_questions(brief: Brief, sources: Sequence[FetchedSource]) -> list[str]:
    """Return the brief's points and the sentences of its summary that no source speaks of."""
    paragraphs = [words_of(part) for source in sources for part in source.text.split("\n\n")]
    asked = [*brief.points, *split_sentences(brief.summary)]
    return [one for one in asked if _is_open(words_of(one), paragraphs)]


def find_leads(questions: Sequence[str], sources: Sequence[FetchedSource]) -> list[Lead]:
    """Return the links in the sources that bear on the questions, the best first."""
    wanted = [words for words in map(words_of, questions) if words]
    known = addresses_of(sources)
    leads: dict[str, Lead] = {}
    for lead in _leads(wanted, sources):
        if lead.url not in known:
            leads.setdefault(lead.url, lead)
    return sorted(leads.values(), key=lambda lead: -lead.shared)


def _is_open(words: set[str], paragraphs: Sequence[set[str]]) -> bool:
    best = max((len(words & paragraph) for paragraph in paragraphs), default=0)
    return bool(words) and best < COVERED * len(words)


def _leads(wanted: Sequence[set[str]], sources: Sequence[FetchedSource]) -> Iterator[Lead]:
    for source in sources:
        for link in source.links:
            words = words_of(f"{link.text} {link.context}")
            shared = [len(words & question) for question in wanted]
            bears = zip(shared, wanted, strict=True)
            if any(number >= min(_LEAST_SHARED, len(question)) for number, question in bears):
                yield Lead(link.url, link.text, source.id, sum(shared))
