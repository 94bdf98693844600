"""Mechanical repairs of a body: what can be mended without knowing what it says."""

import re
from dataclasses import dataclass, field

from publishing.cleaning.quotes import settle
from publishing.directives import Reading, read
from publishing.directives.markdown import UNPRINTABLE
from publishing.directives.plain import words_of

_ATX = re.compile(r"( {0,3})(#{1,6})(?=[ \t]|$)")


@dataclass
class Mended:
    """A body after its repairs.

    Attributes:
        numbers: for each line its number in the draft, from 1.
        repairs: what was mended, in words.
    """

    lines: list[str]
    numbers: list[int]
    repairs: list[str] = field(default_factory=list)
    _read: tuple[str, Reading] | None = None

    @property
    def body(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    @property
    def reading(self) -> Reading:
        """The body read with its HTML found; read again only if it changed since."""
        if self._read is None or self._read[0] != self.body:
            self._read = (self.body, read(self.body, html=True))
        return self._read[1]

    def number_of(self, line: int) -> int:
        """Return the draft's number of a line of this body, both from 1."""
        return self.numbers[line - 1] if line <= len(self.numbers) else line

    def keep(self, kept: list[int]) -> None:
        """Keep only these lines, given by position from 0."""
        self.lines = [self.lines[i] for i in kept]
        self.numbers = [self.numbers[i] for i in kept]


def mend(body: str, *, title: str) -> Mended:
    """Return the body with its mechanical faults mended.

    Unprintable characters, CRLF, blanks at line ends, repeated blank lines, a leading h1 that
    repeats the title, headings that begin at another level than `##`. Code stays as it is.
    """
    repairs: list[str] = []
    text = drop_unprintable(body, "body", repairs)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        repairs.append("line ends are LF now")
    lines = text.split("\n")
    mended = Mended(lines, list(range(1, len(lines) + 1)), repairs)
    _mend_blanks(mended)
    _drop_title(mended, title)
    _shift_headings(mended)
    return mended


def drop_unprintable(text: str, what: str, repairs: list[str]) -> str:
    """Return the text without control characters and lone surrogates, and note it if any."""
    printable, count = UNPRINTABLE.subn("", text)
    if count:
        repairs.append(f"{count} unprintable characters dropped from the {what}")
    return printable


def _mend_blanks(mended: Mended) -> None:
    code = _code_lines(mended.reading)
    kept: list[int] = []
    stripped = 0
    for i, line in enumerate(mended.lines):
        if i in code:
            kept.append(i)
            continue
        mended.lines[i] = line.rstrip(" \t")
        stripped += mended.lines[i] != line
        is_repeated = not mended.lines[i] and (not kept or not mended.lines[kept[-1]])
        if not is_repeated:
            kept.append(i)
    # Also of a fence that nothing closes: its last blank lines are no code.
    while kept and not mended.lines[kept[-1]].strip(" \t"):
        kept.pop()
    if stripped:
        mended.repairs.append(f"blanks dropped from the ends of {stripped} lines")
    dropped = len(mended.lines) - len(kept) - (not mended.lines[-1])  # the final line end is none
    if dropped > 0:
        mended.repairs.append(f"{dropped} needless blank lines dropped")
    mended.keep(kept)


def _code_lines(reading: Reading) -> set[int]:
    return {
        line
        for token in reading.tokens
        if token.type in ("fence", "code_block") and token.map
        for line in range(*token.map)
    }


def _drop_title(mended: Mended, title: str) -> None:
    tokens = mended.reading.tokens
    if not tokens or tokens[0].tag != "h1" or not tokens[0].map:
        return
    if settle(words_of(tokens[1])).casefold() == settle(title).casefold():
        kept = list(range(tokens[0].map[1], len(mended.lines)))
        while kept and not mended.lines[kept[0]]:
            kept.pop(0)
        mended.keep(kept)
        mended.repairs.append("the first heading repeated the title and was dropped")


def _shift_headings(mended: Mended) -> None:
    """Shift all headings by the same number of levels, so that the highest is `##`."""
    openings = [token for token in mended.reading.tokens if token.type == "heading_open"]
    levels = [int(token.tag[1]) for token in openings]
    shift = 2 - min(levels, default=2)
    can_move = all(
        token.level == 0 and token.map and _ATX.match(mended.lines[token.map[0]])
        for token in openings
    )
    if not shift or not can_move or max(levels) + shift > 6:
        return
    for token in openings:
        line = token.map[0] if token.map else 0
        mended.lines[line] = _ATX.sub(
            lambda found: found[1] + "#" * (len(found[2]) + shift), mended.lines[line], count=1
        )
    mended.repairs.append(f"headings moved by {shift:+d} to begin at ##")
