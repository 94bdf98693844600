"""Addresses of articles: how one is derived from a title, and those that the site keeps."""

import hashlib
import re
import unicodedata

SLUG_LENGTH = 80  # of the brief's own pattern; `-2` and so on still fit the column's 90

# First parts of paths that are not articles, those of the site's later growth included.
RESERVED = frozenset(
    {
        "about",
        "admin",
        "api",
        "apple-touch-icon",
        "article",
        "articles",
        "assets",
        "atom",
        "favicon",
        "feed",
        "feeds",
        "health",
        "healthz",
        "home",
        "humans",
        "icon",
        "index",
        "lane",
        "lanes",
        "llms",
        "login",
        "logout",
        "manifest",
        "media",
        "metrics",
        "page",
        "preview",
        "robots",
        "rss",
        "search",
        "security",
        "sitemap",
        "static",
        "tag",
        "tags",
        "well-known",
    }
)

_APOSTROPHES = "'\u2018\u2019\u02bc"
_SPELT_OUT = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "þ": "th", "ð": "d"}
    | {"\N{LATIN SMALL LETTER DOTLESS I}": "i", "&": " and "}
    | dict.fromkeys(_APOSTROPHES, "")
)


def is_reserved(slug: str) -> bool:
    """Say whether the site keeps this address for itself."""
    return slug in RESERVED


def derive_slug(title: str) -> str:
    """Return an address for a title: `[a-z0-9-]`, at most 80, never empty, never reserved.

    Equal titles give equal slugs. A title without a Latin letter or digit gives `article-` and
    eight digits of its hash, so that such titles do not all contend for one address.
    """
    words = re.findall(r"[a-z0-9]+", _folded(title))
    slug = _cut("-".join(words))
    if not slug:
        return "article-" + hashlib.blake2b(title.encode(), digest_size=4).hexdigest()
    return f"{slug}-article" if is_reserved(slug) else slug


def _folded(title: str) -> str:
    decomposed = unicodedata.normalize("NFKD", title.lower().translate(_SPELT_OUT))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _cut(slug: str) -> str:
    if len(slug) <= SLUG_LENGTH:
        return slug
    whole_words, _, _ = slug[: SLUG_LENGTH + 1].rpartition("-")
    return whole_words or slug[:SLUG_LENGTH]
