"""Turn a fetched page into what a writer may rest on: title, author, paragraphs, links.

Hidden text goes first, because whatever finds the article keeps most of it (trafilatura keeps
font-size:0, for one).
"""

import re
from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin

from lxml import etree, html

from publishing.fetching.decoding import decode
from publishing.fetching.hidden import Hidden, strip_hidden
from publishing.fetching.injection import score_injection, strip_unseen
from publishing.fetching.paragraphs import Block, find_article

MAX_TEXT_CHARS = 40_000  # of one page; about 10,000 tokens
MAX_TITLE_CHARS = 300

_SCORED_HIDDEN_CHARS = 200_000  # a page may hide megabytes; nobody reads them anyway
_HEADING = re.compile(r"[ ]{0,3}#{1,6}[ \t]+(.*)")


@dataclass(frozen=True)
class Link:
    """A link in the running text of a page.

    Attributes:
        url: absolute, without fragment; not yet judged.
        context: the paragraph in which it stands.
    """

    url: str
    text: str
    context: str


@dataclass(frozen=True)
class Page:
    """What people read on a page.

    Attributes:
        text: paragraphs separated by blank lines; a heading is one that starts with `## `.
        injection_score: 0 to 1, of what is seen and what was hidden.
    """

    title: str
    author: str
    text: str
    links: list[Link]
    injection_score: float


class UnreadablePageError(Exception):
    """The page broke its reader; what did is the cause."""


def read_page(body: bytes, *, content_type: str, charset: str, url: str) -> Page:
    """Read a page's bytes; `charset` is the header's, `url` the one that its links start from.

    Raises:
        UnreadablePageError: it cannot be read at all.
    """
    try:
        text = decode(body, charset)
        if content_type in ("text/plain", "text/markdown"):
            return _read_plain(text)
        return _read_html(text, url)
    except Exception as error:  # a hostile page may find an error in any parser that it meets
        raise UnreadablePageError("cannot be read") from error


def cut_text(text: str, limit: int) -> str:
    """Return at most `limit` characters of a page's text, whole paragraphs where there is one."""
    if len(text) <= limit:
        return text
    end = text.rfind("\n\n", 0, limit + 2)
    return text[: end if end > 0 else limit].rstrip()


def _read_plain(text: str) -> Page:
    visible, hidden = _split_comments(text)
    blocks: list[Block] = []
    for part in re.split(r"\n[ \t]*\n", visible.replace("\r\n", "\n")):
        first, _, rest = part.strip("\n").partition("\n")
        heading = _HEADING.fullmatch(first)
        if heading:
            blocks.append(Block(_tidy(heading[1]), is_heading=True))
        blocks.append(Block(_tidy(rest if heading else part)))
    blocks = [block for block in blocks if block.text]
    title = blocks[0].text if blocks and blocks[0].is_heading else ""
    return _page(title, "", blocks, Hidden(hidden, is_all=True), "")


def _split_comments(text: str) -> tuple[str, str]:
    first, *others = text.split("<!--")
    parts = [other.partition("-->") for other in others]
    return first + "".join(part[2] for part in parts), "\n".join(part[0] for part in parts)


def _read_html(text: str, url: str) -> Page:
    try:  # as bytes, because lxml refuses a str with an encoding declaration
        tree = html.document_fromstring(text.encode(), parser=html.HTMLParser(encoding="utf-8"))
    except etree.ParserError:  # there is nothing in it
        return _page("", "", [], Hidden("", is_all=True), url)
    hidden = strip_hidden(tree)
    title = _first(tree, "//meta[@property='og:title']/@content", "//head/title", "//h1")
    author = _first(
        tree, "//meta[@name='author']/@content", "//*[@rel='author']", "//*[@itemprop='author']"
    )
    base = _join(url, _first(tree, "//base/@href")) or url
    return _page(title, author, find_article(tree), hidden, base)


def _first(tree: html.HtmlElement, *paths: str) -> str:
    found = (hit for path in paths for hit in tree.xpath(path))
    texts = (_tidy(hit if isinstance(hit, str) else hit.text_content()) for hit in found)
    return next((text for text in texts if text), "")


def _page(title: str, author: str, blocks: list[Block], hidden: Hidden, base: str) -> Page:
    # The title has its own field; an article that opens with it would have it twice.
    told = [block for block in blocks if not (block.is_heading and _tidy(block.text) == title)]
    seen = "\n\n".join(map(str, told))
    visible = f"{title}\n{author}\n{seen}"[: 2 * MAX_TEXT_CHARS]
    return Page(
        title=title[:MAX_TITLE_CHARS],
        author=author[:MAX_TITLE_CHARS],
        text=cut_text(strip_unseen(seen), MAX_TEXT_CHARS),
        links=[link for block in told for link in _links(block, base)],
        injection_score=score_injection(
            visible=visible,
            # Where not all that is hidden was found, orders that are left may be hidden ones.
            hidden=hidden.text[:_SCORED_HIDDEN_CHARS] + ("" if hidden.is_all else f"\n{visible}"),
        ),
    )


def _links(block: Block, base: str) -> list[Link]:
    links = []
    for target, text in block.anchors:
        url = _join(base, target.strip())
        if url.startswith(("http://", "https://")):
            links.append(Link(url=url, text=text, context=block.text))
    return links


def _join(base: str, target: str) -> str:
    """Return the whole address without its fragment; empty if the target is no URL."""
    try:
        return urldefrag(urljoin(base, target)).url
    except ValueError:  # such as an IPv6 address without its end
        return ""


def _tidy(text: str) -> str:
    return " ".join(strip_unseen(text).split())
