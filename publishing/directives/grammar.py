r"""Reading one directive from text: `name[label]{attributes}` after its colons.

Pure text to values, each function linear in what it reads. A label ends at the bracket that
balances its first one; a backslash takes a bracket's or a colon's meaning away.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

from publishing.directives.registry import (
    DIRECTIVES,
    WRITTEN,
    Attribute,
    Directive,
    Form,
    known_names,
)

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,59}")
SOURCE_ID = re.compile(r"[a-z][a-z0-9]{0,7}")
MOST_SOURCES = 10  # in one :cite; a claim that needs more needs a paragraph
_BRACKETS = re.compile(r"\\.|[\[\]]", re.DOTALL)
_BLANK = re.compile(r"[ \t\n]*")
_ATTRIBUTE = re.compile(
    r"""([A-Za-z][A-Za-z0-9_-]{0,59})="""
    r"""(?:"([^"]{0,2000})"|'([^']{0,2000})'|([^\s"'=<>`{}]{1,2000}))"""
)


class GrammarError(ValueError):
    """What is wrong and what would be right; the caller knows the place."""

    def __init__(self, problem: str, allowed: str) -> None:
        super().__init__(f"{problem}; {allowed}")
        self.problem = problem
        self.allowed = allowed


@dataclass(frozen=True)
class Parts:
    """A directive taken apart: where its label and the whole of it end.

    Attributes:
        label: start and end of the text within the brackets, or None.
        end: the position after the last character.
    """

    directive: Directive
    label: tuple[int, int] | None
    attributes: Mapping[str, str]
    sources: tuple[str, ...]
    end: int


def match_brackets(text: str) -> dict[int, int]:
    """Return for each opening square bracket the position of the one that closes it."""
    closing: dict[int, int] = {}
    waiting: list[int] = []
    for found in _BRACKETS.finditer(text):
        if found[0] == "[":
            waiting.append(found.start())
        elif found[0] == "]" and waiting:
            closing[waiting.pop()] = found.start()
    return closing


def take_apart(text: str, start: int, *, form: Form, brackets: Mapping[int, int]) -> Parts:
    """Read the directive whose name begins at `start`, and check it against the registry.

    Raises:
        GrammarError: name, form, label or attributes are not as the registry has them.
    """
    directive, at = _read_name(text, start, form)
    label, at = _read_label(text, at, directive, brackets)
    attributes, at = _read_attributes(text, at, directive)
    sources = _read_sources(text[slice(*label)] if label else "", directive, attributes)
    return Parts(directive, label, attributes, sources, at)


def _read_name(text: str, start: int, form: Form) -> tuple[Directive, int]:
    found = NAME.match(text, start)
    if not found:
        raise GrammarError("a name follows the colons at once", known_names())
    directive = DIRECTIVES.get(found[0])
    if directive is None:
        raise GrammarError(
            f"there is no directive {found[0]!r}",
            f"{known_names()}; write \\: for a colon that is only a colon",
        )
    if directive.form != form:
        raise GrammarError(
            f"{directive.name} is written in another form",
            f"write {WRITTEN[directive.form].format(name=directive.name)}",
        )
    return directive, found.end()


def _read_label(
    text: str, at: int, directive: Directive, brackets: Mapping[int, int]
) -> tuple[tuple[int, int] | None, int]:
    example = f"write {directive.example}"
    if text[at : at + 1] != "[":
        if directive.label in ("title", "none"):
            return None, at
        raise GrammarError(f"{directive.name} has no [content]", example)
    if directive.label == "none":
        raise GrammarError(f"{directive.name} takes no [label]", example)
    if at not in brackets:
        raise GrammarError(f"the bracket after {directive.name} is not closed", example)
    if not text[at + 1 : brackets[at]].strip():
        raise GrammarError(f"the brackets after {directive.name} are empty", example)
    return (at + 1, brackets[at]), brackets[at] + 1


def _read_attributes(text: str, at: int, directive: Directive) -> tuple[Mapping[str, str], int]:
    attributes: dict[str, str] = {}
    if text[at : at + 1] == "{":
        attributes, at = _read_braces(text, at + 1, directive)
    for key in directive.attributes.keys() - attributes.keys():
        raise GrammarError(f"{directive.name} lacks {key}", f"write {directive.example}")
    return attributes, at


def _read_braces(text: str, at: int, directive: Directive) -> tuple[dict[str, str], int]:
    attributes: dict[str, str] = {}
    while True:
        blank = _BLANK.match(text, at)
        at = blank.end() if blank else at
        if text[at : at + 1] == "}":
            return attributes, at + 1
        found = _ATTRIBUTE.match(text, at)
        if not found:
            raise GrammarError(
                f"the attributes of {directive.name} cannot be read",
                'write {key="value"}, with its quotation marks and both braces',
            )
        key, value = found[1], html.unescape(found[2] or found[3] or found[4] or "")
        _check_attribute(directive, key, value, attributes)
        attributes[key] = value
        at = found.end()


def _check_attribute(
    directive: Directive, key: str, value: str, attributes: Mapping[str, str]
) -> None:
    example = f"write {directive.example}"
    known = directive.attributes.get(key)
    if known is None:
        raise GrammarError(f"{directive.name} has no attribute {key!r}", example)
    if key in attributes:
        raise GrammarError(f"{key} stands twice in {directive.name}", example)
    if not _fits(known, value):
        what = "the id of a source" if known.kind == "source" else "words"
        raise GrammarError(
            f"{key} of {directive.name} is {value[:40]!r}",
            f"it is {what}, 1 to {known.longest} characters",
        )


def _fits(attribute: Attribute, value: str) -> bool:
    if attribute.kind == "source":
        return bool(SOURCE_ID.fullmatch(value))
    return bool(value.strip()) and len(value) <= attribute.longest


def _read_sources(
    label: str, directive: Directive, attributes: Mapping[str, str]
) -> tuple[str, ...]:
    if directive.label not in ("source", "sources"):
        return tuple(v for k, v in attributes.items() if directive.attributes[k].kind == "source")
    most = MOST_SOURCES if directive.label == "sources" else 1
    ids = tuple(part.strip() for part in label.split(",", most))
    if len(ids) > most or not all(SOURCE_ID.fullmatch(key) for key in ids):
        raise GrammarError(
            f"{label[:40]!r} does not name sources",
            f"write {directive.example}, with ids of the source list, at most {most}",
        )
    return ids
