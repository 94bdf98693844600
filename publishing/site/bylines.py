"""How an article came to be, in the words that readers are told it in."""

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

from publishing.models import Revision
from publishing.payloads import WrittenBy

WORDS_PER_MINUTE = 238  # silent reading of English non-fiction: Brysbaert 2019, 190 studies
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Byline:
    """Who wrote it, in a sentence and for machines."""

    sentence: str
    author: str
    digital_source: str
    cost: str


def byline_of(revision: Revision) -> Byline:
    """Return the byline of a revision.

    `digital_source` is the IPTC digital source type as schema.org names it; `cost` is in US
    dollars, rounded up to the cent, and empty when nothing was paid.
    """
    written = WrittenBy.model_validate(revision.written_by)
    if written.author == "offline":
        return Byline(
            sentence="Composed offline from its sources, without a language model",
            author="Offline author",
            digital_source="https://schema.org/AlgorithmicMediaDigitalSource",
            cost="",
        )
    return Byline(
        sentence=f"Written by Claude ({written.model})",
        author=f"Claude ({written.model})",
        digital_source="https://schema.org/TrainedAlgorithmicMediaDigitalSource",
        cost=_dollars(written.cost_micros),
    )


def minutes_to_read(words: int) -> int:
    """Return the reading time in whole minutes, at least 1."""
    return max(1, round(words / WORDS_PER_MINUTE))


def _dollars(micros: int) -> str:
    if not micros:
        return ""
    return f"${(Decimal(micros) / 1_000_000).quantize(_CENT, rounding=ROUND_UP)}"
