"""A stored cover as a picture in a page: addresses, sizes, and words for those who do not see."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.files.storage import default_storage

from publishing.payloads import Cover


@dataclass(frozen=True)
class Picture:
    """What an `img` needs so that nothing jumps and no more is loaded than is shown."""

    src: str
    srcset: str
    width: int
    height: int
    alt: str
    made_by: str


def picture_of(stored: Mapping[str, Any] | None) -> Picture | None:
    """Return the picture of an article's stored cover; None while it has none."""
    cover = Cover.model_validate(stored) if stored else None
    if not cover or not cover.renditions:
        return None
    by_width = sorted(cover.renditions, key=lambda rendition: rendition.width)
    urls = {rendition.width: default_storage.url(rendition.key) for rendition in by_width}
    largest = by_width[-1]
    return Picture(
        src=urls[largest.width],
        srcset=", ".join(f"{url} {width}w" for width, url in urls.items()),
        width=largest.width,
        height=largest.height,
        alt=cover.alt,
        made_by=cover.made_by,
    )
