"""Take out of a page what its readers do not see, before anything else reads it.

Only what costs no browser: inline styles, the page's own `<style>` blocks, attributes, comments.
Style sheets elsewhere and scripts are not run; the injection score and the checks on the finished
article stand behind this.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml.html import HtmlElement

from publishing.fetching.colours import are_near, is_faint, is_near_white
from publishing.fetching.selectors import (
    Matcher,
    Selector,
    UnreadSelectorError,
    read_selector,
)

_NEVER_TEXT = {
    "script", "style", "iframe", "object", "embed", "svg", "canvas", "select", "textarea",
    "datalist", "audio", "video", "input", "button",
}  # fmt: skip
_UNSEEN = {"template", "noscript", "noframes"}
_SPOKEN = ("alt", "title", "aria-label", "aria-description", "placeholder", "summary")
# Pages fade in and AMP starts with a hidden body: what hides everything hides nothing.
_WHOLE = {"html", "body", "head"}

_UNIT = r"(?:[a-z]{1,5}|%)"
_SIDE = r"(?:left|top|right|bottom|inset(?:-[a-z-]+)?)"
_FAR = r"(?:\d{4,}(?:\.\d+)?|\d+e\d+|\d{2,}(?:\.\d+)?(?:r?em|[sld]?v\w{1,3}|cm|in|pc|ch))"
_HIDING = re.compile(
    r";(?:"
    r"display:none|visibility:(?:hidden|collapse)|content-visibility:hidden"
    r"|(?:filter:)?opacity[:(]0*(?:\.0\d*)?%?(?=[;!)])"
    r"|font-size:(?:[0-2](?:\.\d+)?(?:px|pt)|0*(?:\.0\d*)?(?:r?em|%|ex|v[wh])?)(?=[;!])"
    rf"|font:[^;/]{{0,40}}?(?<!\d)[01](?:\.\d+)?{_UNIT}?/"
    rf"|(?:{_SIDE}|text-indent|margin-(?:left|top)|margin-(?:inline|block)-start):-(?:\d{{3,}}|{_FAR})"
    rf"|(?:{_SIDE}|text-indent|margin-(?:left|top)):calc\([^;]{{0,40}}?\d{{4}}"
    rf"|(?:left|right|inset-inline-start|text-indent):{_FAR}"
    r"|clip:rect\((?:0|1px,1px)|clip-path:(?:inset\((?:[5-9]\d|\d{3})|(?:circle|ellipse)\(0)"
    rf"|(?:transform:[^;]{{0,40}}?)?translate(?:[xyz3]d?)?[:(][^;]{{0,20}}?(?:-\d{{3,}}|-?{_FAR})"
    r"|(?:transform:[^;]{0,40}?)?scale(?:[xy]|3d)?[:(]0*(?:\.0\d*)?(?=[,;!)])"
    r"|transform:matrix\(0,0,0,0"
    r")"
)
# Seen nowhere while the page scrolls, for it moves along: a screen away or more.
_FIXED_AWAY = re.compile(
    rf";(?:{_SIDE}|transform):-?(?:translate[xy]?\(-?)?(?:(?:1\d\d|[2-9]\d\d)(?:%|[sld]?v\w{{1,3}})|{_FAR})"
)
_POLYGON = re.compile(r";clip-path:polygon\(([^;()]*)\)")
_CLOSED = re.compile(r";overflow(?:-[xy])?:(?:hidden|clip)")
_EMPTY_BOX = re.compile(
    r";(?:max-)?(?:width|height):(?:[01](?:\.\d+)?|\.\d+)(?:[a-z]{1,4}|%)?(?=[;!])"
)
_COLOUR = re.compile(r";(?:color|-webkit-text-fill-color):([^;!]+)")
_BACKGROUND = re.compile(r";background(?:-color)?:([^;!]+)")
# Rules without any of these hide nobody and need not be matched.
_TELLING = re.compile(
    r";(?:display|visibility|content-visibility|opacity|filter|font|left|top|right|bottom|inset"
    r"|text-indent|margin|clip|transform|translate|scale|position|overflow|max-|width|height"
    r"|color|-webkit-text-fill|background)"
)

_MOST_RULES = 20_000  # by their selectors
_CHARS_A_COMPARISON = 50  # searched through in the time of one
_SEEN_BY_SOME = re.compile(r"@media.*(?:print|speech|width|height|orientation|prefers)")
_COLOUR_CALL = re.compile(r"(?:rgb|hsl)a?\([^()]*\)")  # its parts may be parted by spaces alone
_ESCAPE = re.compile(r"\\([0-9a-f]{1,6})\s?")


@dataclass(frozen=True)
class Hidden:
    """What was taken out of a page.

    Attributes:
        is_all: False where the page has rules that hide and were not understood, or more rules
            than are compared; some of what is left may then be hidden too.
    """

    text: str
    is_all: bool


@dataclass
class _Styles:
    """Declarations of the page's own rules, by one name of whom their selector means."""

    rules: dict[str, list[tuple[Selector, str]]] = field(default_factory=lambda: defaultdict(list))
    matcher: Matcher = field(default_factory=Matcher)
    selectors: int = 0
    is_all_read: bool = True

    def of(self, element: HtmlElement) -> str:
        """Return all declarations for the element: any that hides does, whatever overrides it."""
        matched = []
        for name in ("*", *self.matcher.names(element)):
            for selector, declarations in self.rules.get(name, ()):
                if self.matcher.is_spent:
                    break
                if self.matcher.fits(element, selector):
                    matched.append(declarations)
                    self.matcher.charge(len(declarations) // _CHARS_A_COMPARISON)
        return ";".join(["", *matched, _squeeze(element.get("style", "")), ""])


def strip_hidden(tree: HtmlElement) -> Hidden:
    """Remove what is hidden from the tree, in place, and return its text for the score."""
    styles = _read_styles(tree)
    # All are matched before one is removed: selectors name neighbours and attributes.
    declared = {
        element: styles.of(element) for element in tree.iter() if isinstance(element, HtmlElement)
    }
    removed: list[str] = []
    gone: set[HtmlElement] = set()
    on_ground: set[HtmlElement] = set()  # it or something around it names a background
    for element in list(tree.iter()):
        around = element.getparent()
        if around in gone:
            gone.add(element)
            continue
        declarations = declared.get(element, "")
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
    is_all = styles.is_all_read and not styles.matcher.is_spent
    return Hidden("\n".join(removed), is_all=is_all)


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
        or _is_out_of_sight(declarations)
        or _melts_into_ground(declarations, is_on_ground=is_on_ground)
    )


def _melts_into_ground(declarations: str, *, is_on_ground: bool) -> bool:
    """Nearly white where no ground is named, nearly the colour of the ground, or transparent."""
    colours = _COLOUR.findall(declarations)
    if any(map(is_faint, colours)):
        return True
    grounds = _BACKGROUND.findall(declarations)
    if grounds:
        return any(are_near(colour, ground) for colour in colours for ground in grounds)
    return not is_on_ground and any(map(is_near_white, colours))


def _is_out_of_sight(declarations: str) -> bool:
    """In a box of no size that shows nothing beyond it, off the screen for good, or cut to none."""
    polygon = _POLYGON.search(declarations)
    return (
        (_CLOSED.search(declarations) is not None and _EMPTY_BOX.search(declarations) is not None)
        or (";position:fixed" in declarations and _FIXED_AWAY.search(declarations) is not None)
        or (polygon is not None and len(set(polygon[1].split(","))) < 3)
    )


def _text_of(element: HtmlElement) -> str:
    if isinstance(element, HtmlElement):
        return " ".join(element.itertext())
    return element.text or ""


def _read_styles(tree: HtmlElement) -> _Styles:
    styles = _Styles()
    for block in tree.iter("style"):
        for selectors, declarations in _rules(block.text or ""):
            squeezed = f";{_squeeze(declarations)};"
            if _TELLING.search(squeezed):
                _add_rule(styles, selectors, squeezed)
    return styles


def _add_rule(styles: _Styles, selectors: str, declarations: str) -> None:
    for text in selectors.split(","):
        styles.selectors += 1
        if styles.selectors > _MOST_RULES:
            styles.is_all_read = False
            return
        try:
            selector = read_selector(text)
        except UnreadSelectorError:
            styles.is_all_read &= _HIDING.search(declarations) is None
        else:
            if selector is not None:
                styles.rules[selector.subject.key].append((selector, declarations))


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


def _squeeze(declarations: str) -> str:
    """Lower case, without comments, escapes and spaces, so that one pattern fits every spelling."""
    plain = _without_comments(declarations).lower()
    plain = _ESCAPE.sub(lambda code: chr(min(int(code[1], 16), 0xFFFF)), plain)
    plain = _COLOUR_CALL.sub(lambda call: re.sub(r"[\s/]+", ",", call[0]), plain)
    return re.sub(r"\s+", "", plain)
