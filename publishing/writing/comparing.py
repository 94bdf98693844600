"""A claim held against its sources without a model: are its numbers, names and quotes there?

It finds what a source does not mention; it cannot tell whether a sentence says the same.
"""

import re
from collections.abc import Iterable, Iterator

from publishing.cleaning.quotes import SourceText, settle
from publishing.payloads import FetchedSource
from publishing.writing.claims import Claim

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_GROUPED = re.compile(r"(?<=\d)[,\u00a0\u202f](?=\d{3}(?!\d))")  # 1,000 and 1000 are one number
_QUOTED = re.compile(r"[“„«\"]([^“”„«»\"]+)[”“»\"]")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_POSSESSIVE = re.compile(r"['’]s?$")
_SPELT = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
          "eleven", "twelve")  # fmt: skip


class Material:
    """What the cited sources say, prepared for any number of claims."""

    def __init__(self, sources: Iterable[FetchedSource]) -> None:
        told = "\n".join(f"{s.title}\n{s.author}\n{s.site}\n{s.text}" for s in sources)
        self._text = SourceText(told)
        self._words = {word for found in _words(told) for word in _parts(found)}
        self._numbers = _numbers(told) | {
            str(number) for number, word in enumerate(_SPELT) if word in self._words
        }

    def missing(self, text: str) -> list[str]:
        """Return the numbers, quoted words and names of a sentence that do not stand here."""
        return list(
            dict.fromkeys(
                [
                    *(number for number in _in_order(text) if number not in self._numbers),
                    *(f"“{q}”" for q in _QUOTED.findall(settle(text)) if not self._text.find(q)),
                    *(name for name in _names(text) if not self._knows(name)),
                ]
            )
        )

    def _knows(self, name: str) -> bool:
        return all(part in self._words for part in _parts(name))


def compare(claims: Iterable[Claim], sources: Iterable[FetchedSource]) -> Iterator[str]:
    """Yield a flag for each claim of which something is in none of the sources that it cites."""
    by_id = {source.id: source for source in sources}
    materials: dict[tuple[str, ...], Material] = {}
    for claim in claims:
        keys = tuple(key for key in claim.sources if key in by_id)
        if not keys:
            continue  # `clean` refuses what cites nothing that was fetched
        if keys not in materials:
            materials[keys] = Material(by_id[key] for key in keys)
        missing = materials[keys].missing(claim.text)
        if missing:
            yield f"not found in {', '.join(keys)}: {', '.join(missing)}. “{claim.text}”"


def _in_order(text: str) -> list[str]:
    return _NUMBER.findall(_GROUPED.sub("", text))


def _numbers(text: str) -> set[str]:
    return set(_in_order(text))


def _words(text: str) -> list[str]:
    return _WORD.findall(settle(text))


def _parts(word: str) -> list[str]:
    """Return the word folded, and of one with hyphens each part."""
    return [part for part in _POSSESSIVE.sub("", word.casefold()).split("-") if part]


def _names(sentence: str) -> list[str]:
    """Return the words with a capital that do not owe it to the sentence's beginning."""
    return [word for word in _words(sentence)[1:] if word[0].isupper() and word != "I"]
