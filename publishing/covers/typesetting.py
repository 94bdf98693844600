"""Setting a cover's words: what the faces can draw, line breaks, the largest size that fits."""

import unicodedata
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from PIL import ImageDraw, ImageFont

_FONTS = Path(__file__).resolve().parents[2] / "static" / "fonts"
SERIF = ("newsreader-latin", "newsreader-latin-ext", "inter-greek", "inter-cyrillic")
SANS = ("inter-latin", "inter-latin-ext", "inter-greek", "inter-cyrillic")
HEADLINE_WEIGHT, HEAD_WEIGHT = 500, 600
SIZES = (176, 162, 150, 138, 126, 116, 106, 98, 90, 83, 76, 70, 64, 58, 53, 48, 44, 40)
BROKEN_SIZE = 76  # the largest in which a word may be broken
LEADING = 1.02  # Newsreader stands small on its body at display sizes
ASCENT, DESCENT = 0.72, 0.24  # of the size: top of an ascender, foot of a descender
_NO_CHARACTER = "\U0010ffff"  # drawn as the empty box of a missing glyph, by every face


class Style(NamedTuple):
    """Faces in the order in which they are asked for a glyph, a weight and a size in pixels."""

    faces: tuple[str, ...]
    weight: int
    size: int
    tracking: float = 0.0


class Line(NamedTuple):
    """Words at a place: the left end of their baseline."""

    text: str
    style: Style
    x: float
    baseline: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        size = self.style.size
        right = self.x + measure(self.text, self.style)
        return self.x, self.baseline - ASCENT * size, right, self.baseline + DESCENT * size


def drawable(text: str, *, faces: tuple[str, ...] = SERIF) -> str:
    """Return the text without what the faces have no glyph for, such as emoji.

    Nothing is returned where less than two thirds of the letters could be drawn: the rest would
    be another text.
    """
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(_drawable_character(character, faces) for character in composed)
    letters = [character for character in composed if character.isalnum()]
    lost = sum(1 for character in letters if character not in kept)
    return "" if 3 * lost > len(letters) else " ".join(kept.split())


def set_headline(text: str, *, x: float, top: float, width: float, height: float) -> list[Line]:
    """Return the headline's lines, in the largest size that fits, of about equal length.

    A word that is too long for the measure even in the smallest size is broken, in a larger one;
    what is too long even so ends where the room ends.
    """
    style, lines = _largest(text.split(), width, height) or _broken(text, width, height)
    size = style.size
    lines = _balance(lines, style, width)
    return [
        Line(line, style, x, top + (number * LEADING + ASCENT) * size)
        for number, line in enumerate(lines)
    ]


def measure(text: str, style: Style) -> float:
    """Return the width of the text in pixels."""
    runs = sum(font.getlength(run) for run, font in _runs(text, style))
    return runs + style.tracking * style.size * len(text)


def draw_line(draw: ImageDraw.ImageDraw, line: Line, scale: int) -> None:
    """Draw the line's words at `scale` times their size and place."""
    style = line.style._replace(size=line.style.size * scale)
    x = line.x * scale
    pieces = list(line.text) if style.tracking else [line.text]
    for piece in pieces:
        for run, font in _runs(piece, style, optical_size=line.style.size):
            draw.text((x, line.baseline * scale), run, font=font, fill=255, anchor="ls")
            x += font.getlength(run)
        x += style.tracking * style.size


def _largest(words: list[str], width: float, height: float) -> tuple[Style, list[str]] | None:
    for size in SIZES:
        style = Style(SERIF, HEADLINE_WEIGHT, size)
        lines = _break(words, style, width)
        fits = len(lines) * LEADING * size <= height
        if fits and all(measure(line, style) <= width for line in lines):
            return style, lines
    return None


def _broken(text: str, width: float, height: float) -> tuple[Style, list[str]]:
    for size in SIZES[SIZES.index(BROKEN_SIZE) :]:
        style = Style(SERIF, HEADLINE_WEIGHT, size)
        lines = _break(_chop(text, style, width), style, width)
        if len(lines) * LEADING * size <= height:
            return style, lines
    style = Style(SERIF, HEADLINE_WEIGHT, SIZES[-1])
    lines = _break(_chop(text, style, width), style, width)
    return style, lines[: int(height / LEADING / style.size)]


def _break(words: list[str], style: Style, width: float) -> list[str]:
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        if measure(longer, style) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _balance(lines: list[str], style: Style, width: float) -> list[str]:
    """Break again at the narrowest width that needs no more lines."""
    words = " ".join(lines).split()
    best, narrow = lines, max(measure(word, style) for word in words)
    while width - narrow > 8:
        middle = (width + narrow) / 2
        tried = _break(words, style, middle)
        if len(tried) <= len(lines):
            best, width = tried, middle
        else:
            narrow = middle
    return best


def _chop(text: str, style: Style, width: float) -> list[str]:
    parts = [""]
    for word in text.split():
        for character in word:
            if measure(parts[-1] + character, style) > width:
                parts.append("")
            parts[-1] += character
        parts.append("")
    return [part for part in parts if part]


def _runs(
    text: str, style: Style, *, optical_size: int | None = None
) -> list[tuple[str, ImageFont.FreeTypeFont]]:
    """Split the text where another face must lend its glyphs."""
    optical_size = optical_size or style.size
    return [
        ("".join(run), _font(face, style.weight, style.size, min(max(optical_size, 18), 72)))
        for face, run in groupby(text, lambda character: _face_of(character, style.faces))
    ]


def _face_of(character: str, faces: tuple[str, ...]) -> str:
    return next((face for face in faces if _has_glyph(face, character)), faces[0])


def _drawable_character(character: str, faces: tuple[str, ...]) -> str:
    if character.isspace():
        return " "
    if unicodedata.category(character)[0] == "C":
        return ""
    return character if any(_has_glyph(face, character) for face in faces) else " "


@lru_cache(maxsize=4096)
def _has_glyph(face: str, character: str) -> bool:
    """Say whether the face draws the character otherwise than one that nobody has."""
    font = _font(face, 400, 20, 20)
    return bytes(font.getmask(character)) != bytes(font.getmask(_NO_CHARACTER))


@lru_cache(maxsize=256)
def _font(face: str, weight: int, size: int, optical_size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(_FONTS / f"{face}.woff2", size)
    axes = {"Weight": weight, "Optical Size": optical_size}
    named = [_axis_name(axis["name"]) for axis in font.get_variation_axes()]
    font.set_variation_by_axes([axes[name] for name in named])
    return font


def _axis_name(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
