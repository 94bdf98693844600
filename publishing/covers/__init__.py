"""Typographic covers: a headline, a running head, and a screen grown from the brief.

Drawn as a press would print them: one forme for each ink, pulled onto the ground one after the
other. Equal input gives equal bytes for one version of Pillow; nothing here reads a clock.
"""

import hashlib
import random
from datetime import date

from PIL import Image, ImageDraw, ImageFilter

from publishing.covers.colours import pick_scheme
from publishing.covers.plates import Tone, draw_plate
from publishing.covers.typesetting import (
    HEAD_WEIGHT,
    SANS,
    Line,
    Style,
    draw_line,
    drawable,
    measure,
    set_headline,
)

WIDTH, HEIGHT = 1200, 630  # the large image of OpenGraph, 1.91 to 1
OVERSAMPLING = 3  # Pillow draws shapes without smoothing: drawn larger, then reduced
MARGIN = 64
HEAD_BASELINE, RULE_TOP, RULE_BOTTOM = 88, 114, 118
TEXT_TOP, TEXT_BOTTOM, MEASURE = 158, 590, 850
CLEARANCE = 58  # the screen fades out over about twice as many pixels towards the type
_GRAIN = 10  # one measurement of the room for as many pixels a side


def draw_cover(
    *, headline: str, folio: str, hue: int, seed: str, day: date | None = None
) -> Image.Image:
    """Draw a cover of 1200 by 630 pixels.

    Args:
        headline: what the house's faces have no glyph for is left out of it; where that is much
            of it, the folio takes its place.
        folio: the lane's title.
        hue: the lane's, in degrees.
        seed: what makes this cover unlike all others, such as the brief_id.
        day: printed at the right of the running head.
    """
    digest = hashlib.sha256(seed.encode()).digest()
    chance = random.Random(int.from_bytes(digest))  # noqa: S311 - a pattern, no secret
    scheme = pick_scheme(hue, chance)
    lines = _set_type(headline, folio, day, chance)
    size = (WIDTH, HEIGHT)
    plate = draw_plate(size, chance=chance, room=_room_beside(lines), scale=OVERSAMPLING)
    cover = Image.new("RGB", size, scheme.ground)
    cover.paste(scheme.plate, mask=plate.reduce(OVERSAMPLING))
    cover.paste(scheme.ink, mask=_draw_type(lines).reduce(OVERSAMPLING))
    return cover


def _set_type(headline: str, folio: str, day: date | None, chance: random.Random) -> list[Line]:
    head = Style(SANS, HEAD_WEIGHT, 32, tracking=0.06)
    shown = drawable(folio, faces=SANS)
    lines = [Line(shown.upper(), head, MARGIN, HEAD_BASELINE)] if shown else []
    if day:
        date_style = head._replace(tracking=0.0)
        text = f"{day.day} {day:%B %Y}"
        right = WIDTH - MARGIN - measure(text, date_style)
        lines.append(Line(text, date_style, right, HEAD_BASELINE))
    text = drawable(headline) or drawable(folio)
    if text:
        height = TEXT_BOTTOM - TEXT_TOP
        block = set_headline(text, x=MARGIN, top=TEXT_TOP, width=MEASURE, height=height)
        spare = TEXT_BOTTOM - max(line.box[3] for line in block)
        drop = spare if chance.random() < 0.5 else 0.0
        lines += [line._replace(baseline=line.baseline + drop) for line in block]
    return lines


def _room_beside(lines: list[Line]) -> Tone:
    """Return the tone that is full where no type stands near, and nothing above the rule.

    Left of a line, and between the type and the edge that it stands at, is the type's own paper.
    """
    room = Image.new("L", (WIDTH // _GRAIN, HEIGHT // _GRAIN), 255)
    draw = ImageDraw.Draw(room)
    for line in lines:
        _, top, right, bottom = line.box
        top = 0 if top < TEXT_TOP + CLEARANCE else top - CLEARANCE
        bottom = HEIGHT if bottom > TEXT_BOTTOM - CLEARANCE else bottom + CLEARANCE
        box = (0, top, right + CLEARANCE, bottom)
        draw.rectangle([part / _GRAIN for part in box], fill=0)
    room = room.filter(ImageFilter.GaussianBlur(CLEARANCE / _GRAIN / 1.6))
    across, levels = room.width, room.tobytes()

    def tone(x: float, y: float) -> float:
        if y < RULE_BOTTOM + 8:
            return 0.0
        x, y = min(max(x, 0), WIDTH - 1), min(y, HEIGHT - 1)  # the screen runs off the sheet
        level = levels[int(y / _GRAIN) * across + int(x / _GRAIN)] / 255
        return max(0.0, 1.3 * level - 0.3)  # without the blur's foot, which reaches the type

    return tone


def _draw_type(lines: list[Line]) -> Image.Image:
    forme = Image.new("L", (WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING), 0)
    draw = ImageDraw.Draw(forme)
    rule = (MARGIN, RULE_TOP, WIDTH - MARGIN - 1 / OVERSAMPLING, RULE_BOTTOM - 1 / OVERSAMPLING)
    draw.rectangle([part * OVERSAMPLING for part in rule], fill=255)
    for line in lines:
        draw_line(draw, line, OVERSAMPLING)
    return forme
