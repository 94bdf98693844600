"""Verdicts on an article's claims, told as flags and findings; its text is left alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from publishing.cleaning.quotes import SourceText
from publishing.directives import read
from publishing.directives.plain import text_of
from publishing.payloads import Draft
from publishing.writing.checking import Verdict
from publishing.writing.claims import read_claims
from publishing.writing.extracts import shorten

_MOST_WORDS = 60  # of a claim as it is told
_MOST_WORDS_WHY = 40


@dataclass(frozen=True)
class Told:
    """What people are told of a fact-check.

    Attributes:
        flags: reasons for a reviewer to look.
        findings: the rest, the sum first.
    """

    flags: list[str]
    findings: list[str]


def tell_verdicts(draft: Draft, verdicts: Sequence[Verdict], *, checked_by: str) -> Told:
    """Match the verdicts to the draft's own words; those on other words are noted, not used."""
    article = _Article(draft)
    fitting = [each for each in verdicts if article.holds(each.claim)]
    strange = [each for each in verdicts if not article.holds(each.claim)]
    unjudged = article.unjudged(fitting)
    numbers = Counter(each.verdict for each in fitting)
    flags = [_told(each) for each in fitting if each.verdict == "unsupported"]
    if unjudged and len(unjudged) == len(article.claims):
        flags.append("the fact-check judged none of the article's cited claims")
    return Told(
        flags=flags,
        findings=[
            f"fact-check by {checked_by}: {numbers['supported']} supported, "
            f"{numbers['unsupported']} unsupported, {numbers['unclear']} unclear, "
            f"{len(unjudged)} not judged",
            *(_told(each) for each in fitting if each.verdict == "unclear"),
            *(f"ignored a verdict on words that the article has not: {_short(each.claim)}"
              for each in strange),
        ],
    )  # fmt: skip


class _Article:
    """An article's words, as written and without their markup."""

    def __init__(self, draft: Draft) -> None:
        reading = read(draft.body)
        head = f"{draft.title}\n\n{draft.summary}"
        self.claims = list(dict.fromkeys(claim.text for claim in read_claims(reading)))
        self._texts = [
            SourceText(f"{head}\n\n{draft.body}"),
            SourceText(f"{head}\n\n{text_of(reading.tokens)}"),
        ]

    def holds(self, claim: str) -> bool:
        return any(text.find(claim) for text in self._texts)

    def unjudged(self, verdicts: Sequence[Verdict]) -> list[str]:
        judged = [text_of(read(each.claim).tokens) for each in verdicts]
        texts = [SourceText(words) for words in judged]
        return [
            claim
            for claim in self.claims
            if not any(text.find(claim) for text in texts)
            and not any(SourceText(claim).find(words) for words in judged)
        ]


def _told(verdict: Verdict) -> str:
    where = f" by {', '.join(verdict.sources)}" if verdict.sources else ""
    why = shorten(" ".join(verdict.why.split()), most_words=_MOST_WORDS_WHY)
    return f"{verdict.verdict}{where}: {_short(verdict.claim)} {why}".rstrip()


def _short(claim: str) -> str:
    return f"“{shorten(' '.join(claim.split()), most_words=_MOST_WORDS)}”"
