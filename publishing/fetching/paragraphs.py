"""The article of a page as a row of headings and paragraphs, with the links in them.

trafilatura finds the article. A page that marks its article itself (`<article>`, `<main>`) is
asked too, and believed where trafilatura found much less or nothing.
"""

import copy
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

import trafilatura
from lxml import etree, html

_ENOUGH = 0.6  # share of the marked article that trafilatura must have found to be believed
_LARGEST = 10_000  # elements that trafilatura is given: with 29,000 it took 13 s
_FURNITURE = "nav|footer|aside|form|menu|*[@role='navigation']"

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6", "head"}
_INLINE = {
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font",
    "hi", "i", "ins", "kbd", "mark", "q", "ref", "rp", "rt", "ruby", "s", "samp", "small", "span",
    "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
}  # fmt: skip
_SPACES = {"br", "lb", "cell", "td", "th", "img", "graphic"}  # part words, not paragraphs

logger = logging.getLogger(__name__)


@dataclass
class Block:
    """A heading or a paragraph.

    Attributes:
        anchors: target and text of each link in it, as they stand on the page.
    """

    text: str
    is_heading: bool = False
    anchors: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"## {self.text}" if self.is_heading else self.text


def find_article(tree: html.HtmlElement) -> list[Block]:
    """Return the blocks of the page's article, in order; none where the page has no text."""
    found = _by_trafilatura(tree)
    marked = tree.xpath("//article[not(ancestor::article)]") or tree.xpath("//main")
    if len(marked) == 1:
        own = _without_furniture(marked[0])
        return found if _length(found) >= _ENOUGH * _length(own) else own
    return found or _without_furniture(tree)


def _by_trafilatura(tree: html.HtmlElement) -> list[Block]:
    if sum(1 for _ in tree.iter()) > _LARGEST:
        return []
    try:
        document = trafilatura.bare_extraction(
            copy.deepcopy(tree),
            favor_recall=True,  # a quote must be found; boilerplate does less harm than a gap
            include_links=True,
            include_comments=False,
            with_metadata=False,
        )
    except Exception:  # a page may break it in any way; the page's own marks are left
        logger.exception("trafilatura failed on a page; read it without")
        return []
    body = getattr(document, "body", None)
    return [] if body is None else list(_blocks(body))


def _without_furniture(root: html.HtmlElement) -> list[Block]:
    root = copy.deepcopy(root)
    for piece in root.xpath("|".join(f".//{name}" for name in _FURNITURE.split("|"))):
        if piece.getparent() is not None:
            piece.drop_tree()
    for head in root.xpath(".//head"):  # the page's, not a heading as in trafilatura's trees
        head.drop_tree()
    return list(_blocks(root))


def _length(blocks: list[Block]) -> int:
    return sum(len(block.text) for block in blocks)


def _blocks(root: etree._Element) -> Iterator[Block]:
    """Walk HTML or trafilatura's TEI alike: whatever is not inline begins and ends a block."""
    pieces: list[str] = []
    anchors: list[tuple[str, str]] = []
    headings = 0

    def block() -> Iterator[Block]:
        text = " ".join("".join(pieces).split())
        if text:
            yield Block(text, is_heading=headings > 0, anchors=[*anchors])
        pieces.clear()
        anchors.clear()

    for event, element in etree.iterwalk(root, events=("start", "end")):
        if element.tag in _SPACES:
            pieces.append(" ")
        elif element.tag not in _INLINE:
            yield from block()
        if event == "start":
            headings += element.tag in _HEADINGS
            target = element.get("href") or element.get("target")
            if element.tag in ("a", "ref") and target:
                anchors.append((target, " ".join("".join(element.itertext()).split())))
            pieces.append(element.text or "")
        else:
            headings -= element.tag in _HEADINGS
            pieces.append((element.tail or "") if element is not root else "")
    yield from block()
