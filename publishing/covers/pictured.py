"""Covers with a paid picture: the square picture whole at the right, the lane's type beside it.

A picture is square and a cover is not; beside it the headline stands on the lane's own ground, so
nothing is cut off, enlarged, or set upon what cannot be known.
"""

import hashlib
import io
import random
from datetime import date

from PIL import Image, ImageDraw, UnidentifiedImageError

from publishing.covers import (
    HEAD_BASELINE,
    HEIGHT,
    MARGIN,
    OVERSAMPLING,
    RULE_BOTTOM,
    RULE_TOP,
    TEXT_BOTTOM,
    TEXT_TOP,
    WIDTH,
)
from publishing.covers.colours import pick_scheme
from publishing.covers.typesetting import (
    HEAD_WEIGHT,
    SANS,
    Line,
    Style,
    draw_line,
    drawable,
    set_headline,
)

LEAST_SIDE, MOST_SIDE = 256, 4_096  # pixels of a picture; others are no answer to what was asked
KINDS = ("JPEG", "PNG", "WEBP")
_GUTTER = 40
_HEAD_SIZE, _DAY_BASELINE = 28, 606


class PictureError(ValueError):
    """The bytes are no picture that a cover can be made of."""


def read_picture(body: bytes) -> Image.Image:
    """Return the picture of a vendor's bytes.

    Raises:
        PictureError: they are of another kind or size, or broken.
    """
    try:
        with Image.open(io.BytesIO(body), formats=KINDS) as opened:
            if not all(LEAST_SIDE <= side <= MOST_SIDE for side in opened.size):
                raise PictureError(f"the picture is {opened.width} by {opened.height} pixels")
            return opened.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureError(f"the picture cannot be read: {error}") from error


def draw_pictured_cover(
    picture: Image.Image,
    *,
    headline: str,
    folio: str,
    hue: int,
    seed: str,
    day: date | None = None,
) -> Image.Image:
    """Draw a cover of 1200 by 630 pixels; its arguments are those of `draw_cover`."""
    chance = random.Random(int.from_bytes(hashlib.sha256(seed.encode()).digest()))  # noqa: S311 - a colour
    scheme = pick_scheme(hue, chance)
    cover = Image.new("RGB", (WIDTH, HEIGHT), scheme.ground)
    cover.paste(_squared(picture), (WIDTH - HEIGHT, 0))
    cover.paste(scheme.ink, mask=_draw_type(_set_type(headline, folio, day)))
    return cover


def _squared(picture: Image.Image) -> Image.Image:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    return square.resize((HEIGHT, HEIGHT), Image.Resampling.LANCZOS)


def _set_type(headline: str, folio: str, day: date | None) -> list[Line]:
    head = Style(SANS, HEAD_WEIGHT, _HEAD_SIZE, tracking=0.06)
    shown = drawable(folio, faces=SANS)
    lines = [Line(shown.upper(), head, MARGIN, HEAD_BASELINE)] if shown else []
    if day:
        lines.append(
            Line(f"{day.day} {day:%B %Y}", head._replace(tracking=0.0), MARGIN, _DAY_BASELINE)
        )
    text = drawable(headline) or drawable(folio)
    if text:
        height = TEXT_BOTTOM - TEXT_TOP - (_GUTTER if day else 0)
        lines += set_headline(text, x=MARGIN, top=TEXT_TOP, width=_measure(), height=height)
    return lines


def _draw_type(lines: list[Line]) -> Image.Image:
    forme = Image.new("L", (WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING), 0)
    draw = ImageDraw.Draw(forme)
    rule = (MARGIN, RULE_TOP, MARGIN + _measure(), RULE_BOTTOM)
    draw.rectangle([part * OVERSAMPLING for part in rule], fill=255)
    for line in lines:
        draw_line(draw, line, OVERSAMPLING)
    # What is longer than its measure, such as a lane's long title, ends at the picture.
    draw.rectangle(
        ((WIDTH - HEIGHT) * OVERSAMPLING, 0, WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING), fill=0
    )
    return forme.reduce(OVERSAMPLING)


def _measure() -> int:
    return WIDTH - HEIGHT - MARGIN - _GUTTER
