"""CSS colours, as far as it takes to see that a text has the colour of its ground."""

import colorsys
import re

Channels = tuple[float, float, float]

_NEAR = 24  # of 255: the contrast of such a text is below 1.3 to 1, and nobody reads it
_HEX = re.compile(r"#([0-9a-f]{8}|[0-9a-f]{6}|[0-9a-f]{3,4})")
_CALL = re.compile(r"(rgb|hsl)a?\(([^()]*)\)")
_NUMBER = re.compile(r"[\d.]+(?:e-?\d+)?%?")
_FAINT = 0.1  # of opacity
# The named colours of CSS with which text vanishes on white, black, and a word for nothing.
_NAMES = {
    "white": "#ffffff", "snow": "#fffafa", "ivory": "#fffff0", "ghostwhite": "#f8f8ff",
    "whitesmoke": "#f5f5f5", "mintcream": "#f5fffa", "azure": "#f0ffff", "honeydew": "#f0fff0",
    "floralwhite": "#fffaf0", "seashell": "#fff5ee", "aliceblue": "#f0f8ff", "oldlace": "#fdf5e6",
    "lavenderblush": "#fff0f5", "linen": "#faf0e6", "black": "#000000", "transparent": "#00000000",
}  # fmt: skip
WHITE: Channels = (255, 255, 255)


def is_faint(colour: str) -> bool:
    """Say whether the colour is nearly transparent."""
    read = _read(colour)
    return read is not None and read[1] < _FAINT


def are_near(one: str, other: str) -> bool:
    """Say whether text of the one colour is not told from a ground of the other."""
    first, second = _read(one), _read(other)
    if first is None or second is None:
        return one == other
    return _is_near(first[0], second[0])


def is_near_white(colour: str) -> bool:
    """Say whether the colour is not told from white."""
    read = _read(colour)
    return read is not None and _is_near(read[0], WHITE)


def _is_near(one: Channels, other: Channels) -> bool:
    return all(abs(a - b) <= _NEAR for a, b in zip(one, other, strict=True))


def _read(colour: str) -> tuple[Channels, float] | None:
    """Return red, green and blue of 255, and the opacity of 1; None for what is not known here."""
    colour = _NAMES.get(colour, colour)
    if found := _HEX.match(colour):
        digits = found[1]
        pairs = re.findall("..", digits) if len(digits) > 4 else [2 * digit for digit in digits]
        red, green, blue, *alpha = (int(pair, 16) for pair in pairs)
        return (red, green, blue), alpha[0] / 255 if alpha else 1.0
    found = _CALL.match(colour)
    parts = _NUMBER.findall(found[2]) if found else []
    if found is None or len(parts) < 3:
        return None
    try:
        alpha_of_one = _number(parts[3], 1) if len(parts) > 3 else 1.0
        return _channels(found[1], parts), alpha_of_one
    except (ValueError, OverflowError):
        return None


def _channels(kind: str, parts: list[str]) -> Channels:
    if kind == "rgb":
        red, green, blue = (_number(part, 255) for part in parts[:3])
        return red, green, blue
    hue, saturation, lightness = _number(parts[0], 360), *(_number(p, 1) for p in parts[1:3])
    red, green, blue = colorsys.hls_to_rgb(hue / 360 % 1, min(lightness, 1), min(saturation, 1))
    return red * 255, green * 255, blue * 255


def _number(text: str, whole: float) -> float:
    return float(text[:-1]) * whole / 100 if text.endswith("%") else float(text)
