"""The house's colours on a cover: paper, ink, and one lane's hue."""

import math
import random
from typing import NamedTuple

Colour = tuple[int, int, int]


class Scheme(NamedTuple):
    """The ground and the two inks that are printed on it."""

    ground: Colour
    plate: Colour
    ink: Colour


def pick_scheme(hue: int, chance: random.Random) -> Scheme:
    """Return one of the lane's three grounds: its colour, paper, or its night."""
    paper, ink = oklch(0.98, 0.006, 90), oklch(0.22, 0.01, 260)
    schemes = [
        Scheme(ground=oklch(0.52, 0.13, hue), plate=oklch(0.40, 0.105, hue), ink=paper),
        Scheme(ground=oklch(0.965, 0.008, 90), plate=oklch(0.58, 0.14, hue), ink=ink),
        Scheme(ground=oklch(0.27, 0.05, hue), plate=oklch(0.56, 0.125, hue), ink=paper),
    ]
    return schemes[int(chance.random() * len(schemes))]


def oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """Return the colour in sRGB, 0 to 255; chroma gives way where sRGB cannot hold it.

    The matrices are those of CSS Color 4, section 18 (OKLab to linear sRGB, by Björn Ottosson).
    """
    linear = _linear_srgb(lightness, chroma, hue)
    while min(linear) < -1e-4 or max(linear) > 1 + 1e-4:
        chroma *= 0.98
        linear = _linear_srgb(lightness, chroma, hue)
    red, green, blue = (round(255 * _companded(min(max(part, 0.0), 1.0))) for part in linear)
    return red, green, blue


def _linear_srgb(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _companded(part: float) -> float:
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055
