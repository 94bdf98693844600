"""How each directive looks: the HTML before and after what it holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from publishing.directives.registry import Call


@dataclass(frozen=True)
class Shown:
    """A source with its number in the list under the article, from 1."""

    number: int
    title: str
    site: str
    url: str

    @property
    def name(self) -> str:
        """What it is called: its title, or where it stands."""
        return self.title or self.site or self.url


def _cite(call: Call, sources: Sequence[Shown]) -> tuple[str, str]:
    links = ",&nbsp;".join(
        f'<a href="#source-{key}" title="{escape(source.name)}" '
        f'aria-label="Source {source.number}">{source.number}</a>'
        for key, source in zip(call.sources, sources, strict=True)
    )
    return f'<sup class="cite">{links}</sup>', ""


def _term(call: Call, sources: Sequence[Shown]) -> tuple[str, str]:
    return f'<dfn title="{escape(call.attributes["means"])}">', "</dfn>"


def _source(call: Call, sources: Sequence[Shown]) -> tuple[str, str]:
    return f'<div class="source"><p>{_named(call.sources[0], sources[0])}</p></div>\n', ""


def _note(call: Call, sources: Sequence[Shown]) -> tuple[str, str]:
    return '<aside class="note" role="note">\n', "</aside>\n"


def _quote(call: Call, sources: Sequence[Shown]) -> tuple[str, str]:
    named = _named(call.sources[0], sources[0])
    return (
        '<figure class="quote"><blockquote>\n',
        f"</blockquote><figcaption>{named}</figcaption></figure>\n",
    )


def _named(key: str, source: Shown) -> str:
    link = f'<a href="#source-{key}"><cite>{escape(source.name)}</cite></a>'
    if source.site and source.site != source.name:
        return f'{link} <span class="site">{escape(source.site)}</span>'
    return link


DRAWN: Mapping[str, Callable[[Call, Sequence[Shown]], tuple[str, str]]] = {
    "cite": _cite,
    "term": _term,
    "source": _source,
    "note": _note,
    "quote": _quote,
}
