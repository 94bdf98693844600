"""The picture on a cover: a tone that no other brief has, through one of the press's screens.

A tone says how much ink a place gets, 0 to 1. A screen turns it into what a press can print:
dots, rules or rings, thick where the tone is full and gone where it is empty.
"""

import math
import random
from collections.abc import Callable, Iterator

from PIL import Image, ImageDraw

Tone = Callable[[float, float], float]
Screen = Callable[[ImageDraw.ImageDraw, Tone, random.Random, float, float, float], None]
REACH = 760.0  # from the middle of a cover to beyond its corners
STEP = 9.0  # pixels between two measurements along a rule


def draw_plate(
    size: tuple[int, int], *, chance: random.Random, room: Tone, scale: int
) -> Image.Image:
    """Return the mask of the plate, `scale` times `size`.

    Args:
        room: how much of the tone may stand at a place; 0 under the type.
    """
    forme = Image.new("L", (size[0] * scale, size[1] * scale), 0)
    tone = _pick_tone(chance)
    screen = (_dots, _rules, _rings)[int(chance.random() * 3)]
    screen(ImageDraw.Draw(forme), lambda x, y: tone(x, y) * room(x, y), chance, *size, scale)
    return forme


def _pick_tone(chance: random.Random) -> Tone:
    return (_moon, _swell, _meeting, _slope)[int(chance.random() * 4)](chance)


def _moon(chance: random.Random) -> Tone:
    """A ball that hangs to the right, lit from one side."""
    x0, y0 = 780 + 300 * chance.random(), 140 + 350 * chance.random()
    radius, light = 210 + 130 * chance.random(), math.tau * chance.random()
    rest = 0.10 + 0.12 * chance.random()

    def tone(x: float, y: float) -> float:
        distance = math.hypot(x - x0, y - y0) / radius
        if distance > 1:
            return rest * min(1.0, (distance - 1) * 3)
        lit = ((x - x0) * math.cos(light) + (y - y0) * math.sin(light)) / radius
        return 0.52 + 0.43 * lit

    return tone


def _swell(chance: random.Random) -> Tone:
    """Long waves across the sheet."""
    angle, phase = math.pi * chance.random(), math.tau * chance.random()
    length, bend = 260 + 260 * chance.random(), 0.7 + 1.3 * chance.random()

    def tone(x: float, y: float) -> float:
        along = (x * math.cos(angle) + y * math.sin(angle)) / length
        across = (y * math.cos(angle) - x * math.sin(angle)) / length
        wave = math.sin(math.tau * along + bend * math.sin(math.tau * across * 0.6) + phase)
        return 0.5 + 0.44 * wave

    return tone


def _meeting(chance: random.Random) -> Tone:
    """Circles from two places, where they meet."""
    x1, y1 = 700 + 600 * chance.random(), -80 + 300 * chance.random()
    x2, y2 = 500 + 800 * chance.random(), 420 + 330 * chance.random()
    first, second = 230 + 190 * chance.random(), 230 + 190 * chance.random()

    def tone(x: float, y: float) -> float:
        one = math.cos(math.tau * math.hypot(x - x1, y - y1) / first)
        two = math.cos(math.tau * math.hypot(x - x2, y - y2) / second)
        return 0.5 + 0.23 * (one + two)

    return tone


def _slope(chance: random.Random) -> Tone:
    """From nothing to full, and a fold where it turns back."""
    angle, fold = math.radians(-70 + 140 * chance.random()), 0.45 + 0.4 * chance.random()

    def tone(x: float, y: float) -> float:
        along = 0.5 + ((x - 600) * math.cos(angle) + (y - 315) * math.sin(angle)) / 1300
        risen = along / fold if along < fold else 1 - 0.75 * (along - fold) / (1 - fold)
        return 0.95 * math.pow(min(max(risen, 0.0), 1.0), 1.3)

    return tone


def _dots(
    draw: ImageDraw.ImageDraw,
    tone: Tone,
    chance: random.Random,
    width: float,
    height: float,
    scale: float,
) -> None:
    pitch, angle = 15 + 9 * chance.random(), math.radians((15, 45, 75)[int(chance.random() * 3)])
    for u in _steps(pitch):
        for v in _steps(pitch):
            x = width / 2 + u * math.cos(angle) - v * math.sin(angle)
            y = height / 2 + u * math.sin(angle) + v * math.cos(angle)
            # Up to 0.62 of the pitch, where the dots of a full tone grow into each other.
            radius = pitch * 0.62 * math.sqrt(tone(x, y))
            if radius > 0.9:
                box = (x - radius, y - radius, x + radius, y + radius)
                draw.ellipse([part * scale for part in box], fill=255)


def _rules(
    draw: ImageDraw.ImageDraw,
    tone: Tone,
    chance: random.Random,
    width: float,
    height: float,
    scale: float,
) -> None:
    pitch = 11 + 8 * chance.random()
    angle = math.radians((0, 90, 45, -45, 20, -20)[int(chance.random() * 6)])
    for v in _steps(pitch):
        line = [
            (
                width / 2 + u * math.cos(angle) - v * math.sin(angle),
                height / 2 + u * math.sin(angle) + v * math.cos(angle),
            )
            for u in _steps(STEP)
        ]
        _draw_stroke(draw, line, tone, pitch, scale)


def _rings(
    draw: ImageDraw.ImageDraw,
    tone: Tone,
    chance: random.Random,
    width: float,
    height: float,
    scale: float,
) -> None:
    pitch = 12 + 8 * chance.random()
    x0, y0 = width * (0.55 + 0.6 * chance.random()), height * (1.3 * chance.random() - 0.15)
    for number in range(1, int(1400 / pitch)):
        radius = number * pitch
        count = max(24, int(math.tau * radius / STEP))
        turn = [math.tau * place / count for place in range(count + 1)]
        line = [(x0 + radius * math.cos(a), y0 + radius * math.sin(a)) for a in turn]
        _draw_stroke(draw, line, tone, pitch, scale)


def _draw_stroke(
    draw: ImageDraw.ImageDraw,
    line: list[tuple[float, float]],
    tone: Tone,
    pitch: float,
    scale: float,
) -> None:
    """Draw a line whose breadth follows the tone."""
    breadths = [pitch * 0.9 * tone(x, y) for x, y in line]
    for place in range(len(line) - 1):
        (x1, y1), (x2, y2) = line[place], line[place + 1]
        one, two = breadths[place] / 2, breadths[place + 1] / 2
        if max(one, two) < 0.45:  # of a pixel; thinner would print as dust
            continue
        length = math.hypot(x2 - x1, y2 - y1)
        nx, ny = (y1 - y2) / length, (x2 - x1) / length
        corners = (
            (x1 + nx * one, y1 + ny * one),
            (x2 + nx * two, y2 + ny * two),
            (x2 - nx * two, y2 - ny * two),
            (x1 - nx * one, y1 - ny * one),
        )
        draw.polygon([(x * scale, y * scale) for x, y in corners], fill=255)


def _steps(pitch: float) -> Iterator[float]:
    count = int(REACH / pitch)
    return (number * pitch for number in range(-count, count + 1))
