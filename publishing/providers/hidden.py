"""Take out of a page what its readers do not see, before anything else reads it.

Only what costs no browser: inline styles, the page's own `<style>` blocks with simple selectors,
attributes, comments. Style sheets elsewhere and scripts are not run; the injection score and the
checks on the finished article stand behind this.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml.html import HtmlElement

_NEVER_TEXT = {
    "script", "style", "iframe", "object", "embed", "svg", "canvas", "select", "textarea",
    "datalist", "audio", "video", "input", "button",
}  # fmt: skip
_UNSEEN = {"template", "noscript", "noframes"}
_SPOKEN = ("alt", "title", "aria-label", "aria-description", "placeholder", "summary")
# Pages fade in and AMP starts with a hidden body: what hides everything hides nothing.
_WHOLE = {"html", "body", "head"}

_HIDING = re.compile(
    r";(?:"
    r"display:none|visibility:(?:hidden|collapse)|content-visibility:hidden"
    r"|opacity:0*(?:\.0\d*)?%?(?=[;!])"
    r"|font-size:(?:[0-2](?:\.\d+)?(?:px|pt)|0*(?:\.0\d*)?(?:r?em|%|ex|v[wh])?)(?=[;!])"
    r"|(?:left|top|right|bottom|text-indent|margin-left|margin-top):-(?:\d{3,}|\d{2,}(?:r?em|v[wh]))"
    r"|clip:rect\(0|clip:rect\(1px,1px|clip-path:(?:inset\((?:50|100)%|circle\(0)"
    r"|transform:(?:scale[xy]?\(0[,)]|translate[xy]?\(-\d{3,})"
    r"|color:(?:transparent|rgba\(\d+,\d+,\d+,0\))"
    r")"
)
_EMPTY_BOX = re.compile(r";(?:max-)?(?:width|height):[01](?:px)?(?=[;!])")
_COLOUR = re.compile(r";color:([^;!]+)")
_BACKGROUND = re.compile(r";background(?:-color)?:([^;!]+)")
_WHITES = {"white", "#fff", "#ffffff", "rgb(255,255,255)"}

_SIMPLE = re.compile(r"([a-z][a-z0-9]*)?((?:[.#][\w-]+)*)")
_SEEN_BY_SOME = re.compile(r"@media.*(?:print|speech|width|height|orientation|prefers)")
_ESCAPE = re.compile(r"\\([0-9a-f]{1,6})\s?")


@dataclass
class _Styles:
    """Declarations of the simple rules, by one name of their selector: id, class or tag."""

    rules: dict[str, list[tuple[frozenset[str], str]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def of(self, element: HtmlElement) -> str:
        names = _names(element)
        matched = [
            declarations
            for name in names
            for needed, declarations in self.rules.get(name, ())
            if needed <= names
        ]
        return ";".join(["", *matched, _squeeze(element.get("style", "")), ""])


def strip_hidden(tree: HtmlElement) -> str:
    """Remove what is hidden from the tree, in place, and return its text for the score."""
    styles = _read_styles(tree)
    removed: list[str] = []
    gone: set[HtmlElement] = set()
    on_ground: set[HtmlElement] = set()  # it or something around it names a background
    for element in list(tree.iter()):
        around = element.getparent()
        if around in gone:
            gone.add(element)
            continue
        declarations = styles.of(element) if isinstance(element, HtmlElement) else ""
        if around in on_ground or "bgcolor" in element.attrib or _BACKGROUND.search(declarations):
            on_ground.add(element)
        if _is_hidden(element, declarations, is_on_ground=element in on_ground):
            removed.append(_text_of(element))
            gone.add(element)
            element.drop_tree()
        elif element.tag in _NEVER_TEXT:
            gone.add(element)
            element.drop_tree()
        else:
            removed += [element.attrib.pop(name) for name in _SPOKEN if name in element.attrib]
    return "\n".join(removed)


def _is_hidden(element: HtmlElement, declarations: str, *, is_on_ground: bool) -> bool:
    if not isinstance(element, HtmlElement):  # comments, processing instructions
        return True
    if element.tag in _WHOLE:
        return False
    return (
        element.tag in _UNSEEN
        or "hidden" in element.attrib
        or element.get("aria-hidden", "").strip().lower() == "true"
        or (element.tag == "dialog" and "open" not in element.attrib)
        or _HIDING.search(declarations) is not None
        or (";overflow:hidden" in declarations and _EMPTY_BOX.search(declarations) is not None)
        or _melts_into_ground(declarations, is_on_ground=is_on_ground)
    )


def _melts_into_ground(declarations: str, *, is_on_ground: bool) -> bool:
    """White where no ground is named, or a colour on the same colour."""
    colour = _COLOUR.search(declarations)
    if colour is None:
        return False
    ground = _BACKGROUND.search(declarations)
    if ground is not None:
        return ground[1] == colour[1]
    return colour[1] in _WHITES and not is_on_ground


def _text_of(element: HtmlElement) -> str:
    if isinstance(element, HtmlElement):
        return " ".join(element.itertext())
    return element.text or ""


def _read_styles(tree: HtmlElement) -> _Styles:
    styles = _Styles()
    for block in tree.iter("style"):
        for selectors, declarations in _rules(block.text or ""):
            squeezed = f";{_squeeze(declarations)};"
            for selector in selectors.split(","):
                match = _SIMPLE.fullmatch(selector.strip())
                if match is None or not match[0]:
                    continue
                names = frozenset(filter(None, [match[1], *re.findall(r"[.#][\w-]+", match[2])]))
                styles.rules[min(names)].append((names, squeezed))
    return styles


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """Yield selectors and declarations, also of those at-rules that hold on every screen."""
    around = [("", True)]  # what was opened, and whether every screen sees what is in it
    text = ""
    for part in re.split(r"([{}])", _without_comments(css)):
        if part == "{":
            opened = text.rpartition(";")[2].strip()
            around.append((opened, around[-1][1] and not _SEEN_BY_SOME.match(opened)))
        elif part == "}" and len(around) > 1:
            opened, is_for_all = around.pop()
            if is_for_all and not opened.startswith("@"):
                yield opened, text
        text = part


def _without_comments(css: str) -> str:
    # Not a pattern: `/\*.*?\*/` takes quadratic time on many openings without an end.
    first, *others = css.split("/*")
    return first + "".join(other.partition("*/")[2] for other in others)


def _names(element: HtmlElement) -> frozenset[str]:
    classes = (f".{name}" for name in element.get("class", "").split())
    identity = element.get("id")
    return frozenset([str(element.tag), *classes, *([f"#{identity}"] if identity else [])])


def _squeeze(declarations: str) -> str:
    """Lower case, without comments, escapes and spaces, so that one pattern fits every spelling."""
    plain = _without_comments(declarations).lower()
    plain = _ESCAPE.sub(lambda code: chr(min(int(code[1], 16), 0xFFFF)), plain)
    return re.sub(r"\s+", "", plain)
