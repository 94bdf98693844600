"""Markdown to tokens: CommonMark with tables, and the directives among them.

Errors are collected, so that all of them can be shown at once. Whatever is wrong is stepped over
by the same rule in every pass, which keeps reading linear in the body.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from publishing.directives import blocks, spans
from publishing.directives.places import Notes
from publishing.directives.registry import Call, DirectiveError

# What neither HTML nor Postgres takes as text: control characters other than tab and line ends,
# lone surrogates, and the noncharacters of the basic plane.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


@dataclass(frozen=True)
class Reading:
    """A body as it was read.

    Attributes:
        references: link targets that are defined aside, by label, with the line of each.
        errors: wrong directives in the order met, at most `places.MOST_ERRORS`.
    """

    tokens: list[Token]
    errors: list[DirectiveError]
    references: dict[str, tuple[str, int]] = field(default_factory=dict)

    def walk(self) -> Iterator[tuple[Token, int]]:
        """Yield every token, those within a line too, with the line (from 1) it begins on."""
        for token in self.tokens:
            line = (token.map[0] if token.map else 0) + 1
            yield token, line
            for child in token.children or ():
                yield child, line
                line += child.type in ("softbreak", "hardbreak")

    def calls(self) -> list[Call]:
        """Return the directives in the order of the body."""
        opened = (token.meta for token, _ in self.walk() if token.type == "directive_open")
        return [meta["call"] for meta in opened if meta["call"]]


def read(body: str, *, html: bool = False) -> Reading:
    """Read a body into tokens.

    Args:
        html: read raw HTML as such, to find it; else it is text like any other.
    """
    notes = Notes(lines=_normalise(body).split("\n"))
    env: dict[str, Any] = {"notes": notes}
    tokens = (_FINDS_HTML if html else _PARSER).parse("\n".join(notes.lines), env)
    references = {
        label: (str(target["href"]), target["map"][0] + 1)
        for label, target in env.get("references", {}).items()
    }
    return Reading(tokens, notes.errors, references)


def read_strictly(body: str) -> Reading:
    """Read a body into tokens, or raise its first DirectiveError."""
    reading = read(body)
    if reading.errors:
        raise reading.errors[0]
    return reading


def normalise_link(url: str) -> str:
    """Return the address as it stands in a link's token."""
    return _PARSER.normalizeLink(url)


def _normalise(body: str) -> str:
    return UNPRINTABLE.sub("", body.replace("\r\n", "\n").replace("\r", "\n"))


def _read_lines(state: StateCore) -> None:
    """Read what stands within lines; markdown-it's own rule, and the rule told where it is."""
    notes: Notes = state.env["notes"]
    for token in state.tokens:
        if token.type == "inline":
            notes.enter(token.map[0] if token.map else 0)
            token.children = token.children or []
            state.md.inline.parse(token.content, state.md, state.env, token.children)


def _build(*, html: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": html, "linkify": False}).enable("table")
    parser.core.ruler.at("inline", _read_lines)
    parser.block.ruler.before(
        "table",
        "directive",
        blocks.read_directive,
        {"alt": ["paragraph", "reference", "blockquote", "list"]},
    )
    parser.inline.ruler.before("escape", "directive", spans.read_directive)
    parser.parse("*a*", {"notes": Notes(lines=["*a*"])})  # compiles its rules, before threads meet
    return parser


_PARSER = _build(html=False)
_FINDS_HTML = _build(html=True)
