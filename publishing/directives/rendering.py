"""A body as HTML for readers: headings with ids, directives drawn, everything sanitised last."""

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Protocol

import nh3
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from publishing.directives.drawing import DRAWN, Shown
from publishing.directives.markdown import UNPRINTABLE, read_strictly
from publishing.directives.plain import words_of
from publishing.directives.registry import Call

# Everything that a body may turn into. Neither images nor styles: an article's one picture is its
# cover, and the site's policy allows neither foreign images nor inline style.
_TAGS = {
    *("p", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li", "pre", "code", "hr", "br"),
    *("em", "strong", "a", "sup", "dfn", "cite", "aside", "div", "figure", "figcaption", "span"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {
    "a": {"href", "title", "rel", "aria-label"},
    "dfn": {"title"},
    "ol": {"start"},
    "pre": {"tabindex"},
    "aside": {"role"},
    "div": {"role", "aria-label", "tabindex"},
    **{f"h{level}": {"id"} for level in range(2, 7)},
}
_CLASSES = {
    "sup": {"cite"},
    "aside": {"note"},
    "p": {"note-title"},
    "figure": {"quote"},
    "div": {"source", "table"},
    "span": {"site"},
    "th": {"align-left", "align-center", "align-right"},
    "td": {"align-left", "align-center", "align-right"},
}
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    allowed_classes=_CLASSES,
    url_schemes={"http", "https"},
    url_relative=lambda url: url if url.startswith("#") else None,
    link_rel=None,
)


class SourceForDisplay(Protocol):
    """What readers see of a source; a stored `Source` is one."""

    @property
    def key(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def site(self) -> str: ...
    @property
    def url(self) -> str: ...


def render_body(body: str, *, sources: Sequence[SourceForDisplay]) -> SafeString:
    """Return the body as sanitised HTML.

    Headings begin at h2 and have ids `section-…`; citations link to `#source-{key}` and show
    the source's place in `sources`, from 1.

    Raises:
        DirectiveError: a directive is wrong, or names a source that is not among `sources`.
    """
    tokens = read_strictly(body).tokens
    _name_headings(tokens)
    shown = {
        source.key: Shown(number, source.title, source.site, source.url)
        for number, source in enumerate(sources, start=1)
    }
    html = _Renderer().render(tokens, OptionsDict(_OPTIONS), {"shown": shown})
    return mark_safe(UNPRINTABLE.sub("", _CLEANER.clean(html)))  # noqa: S308 - sanitised just now


def heading_ids(tokens: Sequence[Token]) -> dict[int, str]:
    """Return the id of each heading, by the position of its opening token; no two are alike."""
    ids: dict[int, str] = {}
    counts: Counter[str] = Counter()
    for position, token in enumerate(tokens):
        if token.type == "heading_open":
            words = words_of(tokens[position + 1])[:200]
            name = "section-" + (slugify(words, allow_unicode=True)[:60].strip("-") or "part")
            counts[name] += 1
            while counts[name] > 1 and counts[f"{name}-{counts[name]}"]:
                counts[name] += 1
            if counts[name] > 1:
                name = f"{name}-{counts[name]}"
                counts[name] += 1
            ids[position] = name
    return ids


def _name_headings(tokens: Sequence[Token]) -> None:
    """Set ids and levels of headings, and point the body's own anchors to those ids."""
    ids = heading_ids(tokens)
    known = set(ids.values())
    for position, token in enumerate(tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = "h" + str(max(2, int(token.tag[1])))
        if position in ids:
            token.attrs = {"id": ids[position]}
        for child in token.children or ():
            anchor = str(child.attrs.get("href", ""))
            if anchor.startswith("#") and f"section-{anchor[1:]}" in known:
                child.attrs["href"] = f"#section-{anchor[1:]}"


_OPTIONS: Any = {
    "maxNesting": 20,
    "html": False,
    "linkify": False,
    "typographer": False,
    "quotes": "",
    "xhtmlOut": False,
    "breaks": False,
    "langPrefix": "",
    "highlight": None,
}


class _Renderer(RendererHTML):
    """markdown-it's renderer, with directives, and without what a policy or a phone refuses."""

    def directive_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any
    ) -> str:
        return self._draw(tokens[idx].meta["call"], env["shown"])[0]

    def directive_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any
    ) -> str:
        return self._draw(tokens[idx].meta["call"], env["shown"])[1]

    def _draw(self, call: Call, shown: Mapping[str, Shown]) -> tuple[str, str]:
        for key in call.sources:
            if key not in shown:
                raise call.error(
                    f"{call.name} names {key}, which is no source of this article",
                    f"its sources are {', '.join(shown) or 'none'}",
                )
        return DRAWN[call.name](call, [shown[key] for key in call.sources])

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        token = tokens[idx]
        if not str(token.attrs.get("href", "")).startswith("#"):
            token.attrs["rel"] = "noopener nofollow external"
        return self.renderToken(tokens, idx, options, env)

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return escape(self.renderInlineAsText(tokens[idx].children, options, env))

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<pre tabindex="0"><code>{escape(tokens[idx].content)}</code></pre>\n'

    code_block = fence

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return '<div class="table" role="group" aria-label="Table" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        style = str(tokens[idx].attrs.pop("style", ""))
        if style:
            tokens[idx].attrs["class"] = style.replace("text-align:", "align-")
        return self.renderToken(tokens, idx, options, env)

    td_open = th_open
