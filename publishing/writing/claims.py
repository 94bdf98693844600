"""What a body claims: its cited sentences and its quotations, with the sources that they name."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from markdown_it.token import Token

from publishing.directives import Call, Reading
from publishing.directives.plain import words_of
from publishing.writing.extracts import split_sentences


@dataclass(frozen=True)
class Claim:
    """One sentence, in plain words, and the ids of the sources that it rests on."""

    text: str
    sources: tuple[str, ...]


def read_claims(reading: Reading) -> list[Claim]:
    """Return the claims of a body in their order.

    A citation stands for the sentences before it, back to the one before. The words of a quote
    are one claim each sentence.
    """
    claims: list[Claim] = []
    containers: list[Call | None] = []
    before = ""
    for token in reading.tokens:
        if token.type == "directive_open":
            containers.append(token.meta["call"])
        elif token.type == "directive_close":
            containers.pop()
        elif token.type == "inline" and before != "heading_open":
            quoting = next((call for call in containers if call and call.name == "quote"), None)
            claims += _quoted(token, quoting) if quoting else _cited(token)
        before = token.type
    return claims


def _quoted(token: Token, call: Call) -> Iterator[Claim]:
    return (Claim(sentence, call.sources) for sentence in split_sentences(words_of(token)))


def _cited(token: Token) -> Iterator[Claim]:
    text, cites = _read_cites(token)
    sentences = split_sentences(text)
    starts = list(_starts(text, sentences))
    following: tuple[str, ...] = ()
    claims: list[Claim] = []
    spans = list(pairwise([*starts, len(text) + 1]))
    for sentence, (start, end) in reversed(list(zip(sentences, spans, strict=True))):
        own = [key for at, keys in cites if start < at <= end for key in keys]
        following = tuple(dict.fromkeys(own)) or following
        if following:
            claims.append(Claim(" ".join(sentence.split()), following))
    return reversed(claims)


def _read_cites(token: Token) -> tuple[str, list[tuple[int, tuple[str, ...]]]]:
    """Return the line's words, and where in them which sources are cited."""
    text, cites = "", []
    for child in token.children or ():
        if child.type == "directive_open" and child.meta["call"]:
            if child.meta["call"].name == "cite":
                cites.append((len(text.rstrip()), child.meta["call"].sources))
        elif child.type in ("text", "code_inline", "text_special"):
            text += child.content
        elif child.type in ("softbreak", "hardbreak"):
            text += " "
    return text, cites


def _starts(text: str, sentences: list[str]) -> Iterator[int]:
    at = 0
    for sentence in sentences:
        at = text.index(sentence, at)
        yield at
        at += len(sentence)
