"""An article for machines: schema.org as JSON-LD."""

import json
from collections.abc import Sequence
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from publishing.models import Article, Revision, Source
from publishing.site.bylines import Byline
from publishing.site.covers import Picture
from publishing.site.publication import NAME, absolute

# Within a script element only these could end it or begin a comment; JSON may escape them.
_ESCAPES = {ord(character): f"\\u{ord(character):04X}" for character in "<>&\u2028\u2029"}


def article_as_json_ld(
    article: Article,
    revision: Revision,
    *,
    sources: Sequence[Source],
    byline: Byline,
    picture: Picture | None,
) -> SafeString:
    """Return the article's JSON-LD, safe to stand in a `script` element as a data block."""
    url = absolute(article.get_absolute_url())
    publisher = {"@type": "Organization", "name": NAME, "url": absolute("/")}
    described: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Article",
        "@id": url,
        "mainEntityOfPage": url,
        "url": url,
        "headline": revision.title,
        "description": revision.summary,
        "datePublished": _iso(article.published_at),
        "dateModified": _iso(article.modified_at or article.published_at),
        "articleSection": article.lane.title,
        "keywords": revision.tags,
        "wordCount": revision.words,
        "inLanguage": "en",
        "isAccessibleForFree": True,
        "author": {"@type": "Organization", "name": byline.author},
        "publisher": publisher,
        "digitalSourceType": byline.digital_source,
        "citation": [
            {"@type": "WebPage", "name": source.title or source.site, "url": source.final_url}
            for source in sources
        ],
    }
    if picture:
        described["image"] = {
            "@type": "ImageObject",
            "url": absolute(picture.src),
            "width": picture.width,
            "height": picture.height,
        }
    text = json.dumps(described, ensure_ascii=False).translate(_ESCAPES)
    return mark_safe(text)  # noqa: S308 - escaped one line above


def _iso(moment: Any) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
