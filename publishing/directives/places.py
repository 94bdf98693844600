"""Where in the body the reader is, and what it has noted there."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from publishing.directives.grammar import GrammarError, match_brackets
from publishing.directives.registry import DirectiveError

MOST_ERRORS = 100  # more are not noted: the first ones are mended first


class LineText:
    """The text of one paragraph, heading or cell, with the places of its characters."""

    def __init__(self, text: str, *, first_line: int, lines: list[str]) -> None:
        self.text = text
        self._first_line = first_line
        self._lines = lines
        self._indents: dict[int, int] = {}

    @cached_property
    def brackets(self) -> Mapping[int, int]:
        """For each opening square bracket the position of the one that closes it."""
        return match_brackets(self.text)

    @cached_property
    def _starts(self) -> list[int]:
        return [0] + [i + 1 for i, letter in enumerate(self.text) if letter == "\n"]

    def place(self, position: int) -> tuple[int, int]:
        """Return line and column in the body, both from 1."""
        row = bisect_right(self._starts, position) - 1
        if row not in self._indents:
            self._indents[row] = self._find_indent(row)
        column = position - self._starts[row] + self._indents[row] + 1
        return self._first_line + row + 1, column

    def _find_indent(self, row: int) -> int:
        """Return how far right the text begins: quote marks, list marks and the like."""
        if self._first_line + row >= len(self._lines):
            return 0
        end = self._starts[row + 1] - 1 if row + 1 < len(self._starts) else len(self.text)
        found = self._lines[self._first_line + row].find(self.text[self._starts[row] : end])
        return max(found, 0)


@dataclass
class Notes:
    """What one reading of a body carries from rule to rule.

    Attributes:
        lines: of the body.
        in_term: whether the rule is within a term's words.
    """

    lines: list[str]
    errors: list[DirectiveError] = field(default_factory=list)
    in_term: bool = False
    _first_line: int = 0
    _texts: dict[int, LineText] = field(default_factory=dict)

    def enter(self, line: int) -> None:
        """Begin the text that stands from `line` (from 0) on."""
        self._first_line = line
        self._texts.clear()
        self.in_term = False

    def text_of(self, text: str) -> LineText:
        """Return the text's places, computed once; an image's words are a text of their own."""
        if id(text) not in self._texts:  # the entry keeps the text, so no other has its id
            self._texts[id(text)] = LineText(text, first_line=self._first_line, lines=self.lines)
        return self._texts[id(text)]

    def add(self, error: GrammarError, *, line: int, column: int, name: str) -> None:
        """Note what is wrong at a place."""
        if len(self.errors) < MOST_ERRORS:
            self.errors.append(
                DirectiveError(
                    line=line,
                    column=column,
                    name=name,
                    problem=error.problem,
                    allowed=error.allowed,
                )
            )
