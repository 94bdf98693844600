"""A drawn cover as the files that are stored."""

import io
from typing import NamedTuple

from PIL import Image

NARROWER = (800, 400)  # in pixels; a page picks by the width that it shows
COLOURS = 24  # ground, two inks and their edges; more is not seen, and costs bytes
QUALITY = 70  # of WebP
PICTURE_QUALITY = 85  # of JPEG


class Encoded(NamedTuple):
    """One file: its bytes, its ending and its size in pixels."""

    body: bytes
    suffix: str
    width: int
    height: int


def encode(cover: Image.Image) -> list[Encoded]:
    """Return a cover's renditions, widest first; no two have one width.

    The full size is a PNG: feeds and link previews (OpenGraph) read it everywhere, and of a few
    flat colours it is as small as WebP. The narrower ones are WebP.
    """
    full = cover.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return [
        Encoded(_saved(full, "PNG", optimize=True), "png", *cover.size),
        *(_narrower(cover, width) for width in NARROWER),
    ]


def encode_picture(cover: Image.Image) -> list[Encoded]:
    """Return the renditions of a cover with a picture, widest first: a JPEG, then WebP."""
    full = _saved(cover, "JPEG", quality=PICTURE_QUALITY, optimize=True)
    return [
        Encoded(full, "jpg", *cover.size),
        *(_narrower(cover, width) for width in NARROWER),
    ]


def _narrower(cover: Image.Image, width: int) -> Encoded:
    height = round(cover.height * width / cover.width)
    reduced = cover.resize((width, height), Image.Resampling.LANCZOS)
    return Encoded(_saved(reduced, "WEBP", quality=QUALITY, method=5), "webp", width, height)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
