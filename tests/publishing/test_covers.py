"""Covers: alike for equal input, unlike otherwise, and always with something that can be read."""

import hashlib
import random
from datetime import date

import pytest
from PIL import Image, ImageChops

from publishing.covers import HEIGHT, MARGIN, WIDTH, draw_cover
from publishing.covers.colours import oklch, pick_scheme
from publishing.covers.encoding import encode
from publishing.covers.typesetting import SANS, drawable, set_headline

ROOM = {"x": 64.0, "top": 158.0, "width": 850.0, "height": 432.0}


def draw(headline: str = "The log comes first", **changes: object) -> Image.Image:
    fields = {"folio": "Dev", "hue": 250, "seed": "brief-1", "day": None} | changes
    return draw_cover(headline=headline, **fields)  # type: ignore[arg-type]


def test_equal_input_gives_equal_bytes() -> None:
    assert encode(draw()) == encode(draw())


def test_no_two_briefs_have_one_cover() -> None:
    covers = {hashlib.sha256(draw(seed=f"brief-{n}").tobytes()).digest() for n in range(60)}
    assert len(covers) == 60


@pytest.mark.parametrize(
    "change", [{"headline": "Another"}, {"folio": "News"}, {"hue": 25}, {"day": date(2026, 3, 1)}]
)
def test_each_input_is_seen(change: dict[str, object]) -> None:
    assert ImageChops.difference(draw(), draw(**change)).getbbox() is not None  # type: ignore[arg-type]


def test_a_lane_has_three_grounds_and_each_is_used() -> None:
    grounds = {draw(seed=f"brief-{n}").getpixel((2, 2)) for n in range(40)}
    assert grounds == {oklch(0.52, 0.13, 250), oklch(0.965, 0.008, 90), oklch(0.27, 0.05, 250)}


def test_type_has_a_contrast_of_at_least_four_and_a_half_on_every_ground_of_every_hue() -> None:
    worst = min(
        contrast(scheme.ground, scheme.ink)
        for hue in range(360)
        for scheme in (pick_scheme(hue, Chance(place)) for place in (0.0, 0.4, 0.8))
    )
    assert worst >= 4.5


def test_the_screen_stays_off_the_type() -> None:
    cover = draw("Kanban", seed="brief-3")
    margin = cover.crop((0, 0, MARGIN - 4, 110))
    assert margin.getcolors() == [(margin.width * margin.height, cover.getpixel((2, 2)))]


def test_renditions_are_three_widths_of_one_shape() -> None:
    renditions = encode(draw())
    assert [(r.width, r.height, r.suffix) for r in renditions] == [
        (1200, 630, "png"),
        (800, 420, "webp"),
        (400, 210, "webp"),
    ]
    assert [r.body[:4] for r in renditions] == [b"\x89PNG", b"RIFF", b"RIFF"]
    assert (WIDTH, HEIGHT) == (1200, 630)


def test_the_stored_full_size_keeps_the_ground_exactly() -> None:
    cover = draw()
    quantised = cover.quantize(24, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    assert quantised.convert("RGB").getpixel((2, 2)) == cover.getpixel((2, 2))


def test_oklch_is_that_of_css() -> None:
    # CSS Color 4: red, lime and blue in OKLCh, from its conversion tables.
    assert oklch(0.6279554, 0.2576833, 29.23388) == (255, 0, 0)
    assert oklch(0.8664396, 0.2948272, 142.4953) == (0, 255, 0)
    assert oklch(0.4520137, 0.3132144, 264.052) == (0, 0, 255)
    assert oklch(1.0, 0.0, 0.0) == (255, 255, 255)


def test_a_colour_that_srgb_cannot_hold_loses_only_chroma() -> None:
    pairs = zip(oklch(0.5, 0.4, 150), oklch(0.5, 0.3, 150), strict=True)
    assert max(abs(one - two) for one, two in pairs) <= 3


@pytest.mark.parametrize("length", [1, 2, 5, 12, 40, 90, 200])
def test_a_headline_of_any_length_stays_in_its_room(length: int) -> None:
    words = ("The composing room keeps its type standing, set and tied. " * 4)[:length]
    lines = set_headline(words, **ROOM)
    assert " ".join(line.text for line in lines) == words.strip()
    assert max(line.box[2] for line in lines) <= 64 + 850
    assert max(line.box[3] for line in lines) <= 590


def test_two_hundred_characters_are_set_no_smaller_than_forty_eight_pixels() -> None:
    words = ("The composing room keeps its type standing, set and tied. " * 4)[:200]
    assert set_headline(words, **ROOM)[0].style.size >= 48  # 12 pixels on a picture 300 wide


def test_a_word_that_is_wider_than_the_room_is_broken_and_nothing_of_it_is_lost() -> None:
    lines = set_headline("W" * 200, **ROOM)
    assert "".join(line.text for line in lines) == "W" * 200
    assert max(line.box[2] for line in lines) <= 64 + 850


def test_lines_are_of_about_equal_length() -> None:
    lines = set_headline("The box was the easy part: how containers came to pay", **ROOM)
    widths = [line.box[2] - line.box[0] for line in lines]
    assert len(lines) == 4
    assert min(widths) > 0.7 * max(widths)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Łódź, Kraków, Straße: ő ű ř", "Łódź, Kraków, Straße: ő ű ř"),
        ("Как устроена касса", "Как устроена касса"),
        ("Ελληνικά γράμματα", "Ελληνικά γράμματα"),
        ("Ship it \U0001f680 now \U0001f468\u200d\U0001f469\u200d\U0001f467", "Ship it now"),
        ("Cafe\u0301 – “quoted” … 50 %", "Café – “quoted” … 50 %"),
        ("two\nlines\tand\u00a0more", "two lines and more"),
        ("bell\x07 and \u202eoverride", "bell and override"),
        ("时代的排版", ""),
        ("AI 时代的排版设计", ""),
        ("\U0001f680", ""),
    ],
)
def test_only_what_has_a_glyph_is_drawn(text: str, shown: str) -> None:
    assert drawable(text) == shown


def test_a_headline_that_cannot_be_drawn_gives_way_to_the_folio() -> None:
    assert draw("时代的排版").tobytes() == draw("Dev").tobytes()


def test_a_cover_without_any_drawable_word_is_a_cover() -> None:
    assert draw("时代", folio="設計").size == (1200, 630)


def test_the_folio_keeps_letters_of_other_scripts() -> None:
    assert drawable("Исследования", faces=SANS) == "Исследования"


class Chance(random.Random):
    """A chance that is none."""

    def __init__(self, place: float) -> None:
        super().__init__()
        self.place = place

    def random(self) -> float:
        return self.place


def contrast(one: tuple[int, int, int], two: tuple[int, int, int]) -> float:
    """Return the contrast ratio of WCAG 2.2."""
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: tuple[int, int, int]) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
