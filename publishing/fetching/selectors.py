"""The CSS selectors that tell whom a page's own rules hide: compound ones and their combinations.

Not read: pseudo-classes. Who meets a rule with one that hides is told by `UnreadSelectorError`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml.html import HtmlElement

# Compounds compared on one page, about a second; beyond it nothing matches any more.
MOST_COMPARISONS = 500_000
LONGEST_SELECTOR = 1_000  # characters

_NAME = r"(?:[\w-]|[^\x00-\x7f]|\\[0-9a-fA-F]{1,6}\s?|\\.)+"
_PART = re.compile(
    rf"(?P<tag>\*|{_NAME})|(?P<named>[.#]{_NAME})"
    rf"|\[\s*(?P<attribute>{_NAME})\s*(?:(?P<operator>[~|^$*]?=)\s*"
    rf"(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<bare>{_NAME}))\s*[iIsS]?\s*)?\]"
)
_COMBINATOR = re.compile(r"\s*([>+~])\s*|\s+")
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))")
# Of what is no element, or of a moment: they hide no text of a page that is only read.
_NO_ELEMENT = re.compile(
    r"::|:(?:before|after|first-line|first-letter|hover|focus|active|visited|link|target|checked"
    r"|disabled|enabled|fullscreen|placeholder-shown|autofill|-)"
)


class UnreadSelectorError(Exception):
    """The selector may mean some element of the page, but is not understood here."""


class _SpentError(Exception):
    """The page asked for more comparisons than it has."""


@dataclass(frozen=True)
class _Compound:
    """What one element must be.

    Attributes:
        names: tag, `.class` and `#id`.
        attributes: name, operator and value; an operator of "" asks for the name alone.
    """

    names: frozenset[str]
    attributes: tuple[tuple[str, str, str], ...]

    @property
    def key(self) -> str:
        """One name that whoever fits has: the rarest kind that there is, `*` if there is none."""
        return min(self.names, default="*", key=lambda name: "#.".find(name[0]) % 3)


@dataclass(frozen=True)
class Selector:
    """A selector, from its subject on backwards; each other compound with its combinator."""

    subject: _Compound
    before: tuple[tuple[str, _Compound], ...]


def read_selector(text: str) -> Selector | None:
    """Read one selector; None for what never means an element at rest.

    Raises:
        UnreadSelectorError: it is none of those that are read here.
    """
    text = text.strip()
    if len(text) > LONGEST_SELECTOR:
        raise UnreadSelectorError(text[:80])
    if _NO_ELEMENT.search(text):
        return None
    place, steps, combinator = 0, [], ""
    while True:
        compound, place = _read_compound(text, place)
        steps.append((combinator, compound))
        if place == len(text):
            break
        between = _COMBINATOR.match(text, place)
        if between is None:
            raise UnreadSelectorError(text)
        combinator, place = between[1] or " ", between.end()
    before = tuple((steps[n + 1][0], steps[n][1]) for n in range(len(steps) - 2, -1, -1))
    return Selector(subject=steps[-1][1], before=before)


class Matcher:
    """Compares elements of one tree with selectors, until the page's comparisons are spent."""

    def __init__(self) -> None:
        self._left = MOST_COMPARISONS
        self._names: dict[HtmlElement, frozenset[str]] = {}

    @property
    def is_spent(self) -> bool:
        """Whether something was left uncompared."""
        return self._left < 0

    def names(self, element: HtmlElement) -> frozenset[str]:
        """Return the tag, classes and id of an element as selectors name them."""
        if element not in self._names:
            classes = (f".{name}" for name in element.get("class", "").split())
            identity = element.get("id")
            self._names[element] = frozenset(
                [str(element.tag), *classes, *([f"#{identity}"] if identity else [])]
            )
        return self._names[element]

    def charge(self, comparisons: int) -> None:
        """Spend comparisons on other work that a page asks for."""
        self._left -= comparisons

    def fits(self, element: HtmlElement, selector: Selector) -> bool:
        """Say whether the selector means the element."""
        try:
            return self._is(element, selector.subject) and self._stands(element, selector.before)
        except _SpentError:
            return False

    def _stands(self, element: HtmlElement, before: tuple[tuple[str, _Compound], ...]) -> bool:
        if not before:
            return True
        combinator, compound = before[0]
        return any(
            self._is(other, compound) and self._stands(other, before[1:])
            for other in _related(element, combinator)
        )

    def _is(self, element: HtmlElement, compound: _Compound) -> bool:
        self._left -= 1
        if self._left < 0:
            raise _SpentError
        return compound.names <= self.names(element) and all(
            _has(element, *attribute) for attribute in compound.attributes
        )


def _read_compound(text: str, start: int) -> tuple[_Compound, int]:
    place, names, attributes = start, [], []
    while part := _PART.match(text, place):
        if part["tag"] and place > start:
            break
        place = part.end()
        if part["attribute"]:
            value = part["double"] or part["single"] or _plain(part["bare"] or "")
            name = _plain(part["attribute"]).lower()
            attributes.append((name, part["operator"] or "", value))
        elif part["named"]:
            names.append(_plain(part["named"]))
        elif part["tag"] != "*":
            names.append(_plain(part["tag"]).lower())
    if place == start:
        raise UnreadSelectorError(text)
    return _Compound(frozenset(names), tuple(attributes)), place


def _plain(name: str) -> str:
    return _ESCAPE.sub(
        lambda found: chr(min(int(found[1], 16), 0xFFFF)) if found[1] else found[2], name
    )


def _related(element: HtmlElement, combinator: str) -> Iterator[HtmlElement]:
    if combinator in "+~":
        others = (other for other in element.itersiblings(preceding=True))
        others = (other for other in others if isinstance(other, HtmlElement))
    else:
        others = element.iterancestors()
    for other in others:
        yield other
        if combinator in ">+":
            return


def _has(element: HtmlElement, name: str, operator: str, value: str) -> bool:
    """Compare an attribute, blind to case: what a page hides by `i` or not is hidden alike."""
    held = element.get(name)
    if held is None or not operator:
        return held is not None
    held, value = held.lower(), value.lower()
    match operator:
        case "=":
            return bool(held == value)
        case "~=":
            return value in held.split()
        case "|=":
            return bool(held == value or held.startswith(f"{value}-"))
        case "^=":
            return bool(value) and bool(held.startswith(value))
        case "$=":
            return bool(value) and bool(held.endswith(value))
        case _:
            return bool(value) and value in held
