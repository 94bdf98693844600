"""Two versions side by side: line against line, and within a changed line word against word."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from publishing.admin.version_kinds import Part

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_MOST = 2_000_000  # pairs of words; above it whole lines are marked, which is found at once


@dataclass(frozen=True)
class Side:
    """A line of the old and of the new version; either may be missing."""

    old: SafeString
    new: SafeString
    is_changed: bool


@dataclass(frozen=True)
class Section:
    """One spec, or the entries."""

    title: str
    sides: list[Side]

    @property
    def is_changed(self) -> bool:
        """Whether anything in it differs."""
        return any(side.is_changed for side in self.sides)


def compare(old: Sequence[Part], new: Sequence[Part]) -> list[Section]:
    """Return the sections of both, in the order of the new one."""
    before, after = dict(old), dict(new)
    titles = [*after, *(title for title in before if title not in after)]
    return [
        Section(title, list(_sides(before.get(title, []), after.get(title, []))))
        for title in titles
    ]


def _sides(old: list[str], new: list[str]) -> Iterator[Side]:
    for what, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            yield from (Side(_plain(line), _plain(line), is_changed=False) for line in old[a:b])
            continue
        for number in range(max(b - a, d - c)):
            left = old[a + number] if a + number < b else ""
            right = new[c + number] if c + number < d else ""
            yield Side(*_words(left, right), is_changed=True)


def _words(old: str, new: str) -> tuple[SafeString, SafeString]:
    before, after = _WORD.findall(old), _WORD.findall(new)
    if len(before) * len(after) > _MOST:
        return _marked("del", old), _marked("ins", new)
    left, right = SafeString(""), SafeString("")
    for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone, come = "".join(before[a:b]), "".join(after[c:d])
        left += _plain(gone) if what == "equal" else _marked("del", gone)
        right += _plain(come) if what == "equal" else _marked("ins", come)
    return left, right


def _plain(text: str) -> SafeString:
    return escape(text)


def _marked(tag: str, text: str) -> SafeString:
    if not text:
        return SafeString("")
    return format_html("<{0}>{1}</{0}>", mark_safe(tag), text)  # noqa: S308 - one of two words
