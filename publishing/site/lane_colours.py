"""The lanes' hues as a stylesheet: rows make it, and no page needs a style attribute."""

import hashlib
from collections.abc import Iterable

from lanes.models import Lane


def stylesheet(lanes: Iterable[Lane]) -> str:
    """Return one rule a lane: `[data-lane="news"]{--hue:25}`.

    A lane's name is `[a-z0-9_-]` and its hue a number, so that nothing needs escaping.
    """
    return "".join(f'[data-lane="{lane.name}"]{{--hue:{lane.hue}}}\n' for lane in lanes)


def version(lanes: Iterable[Lane]) -> str:
    """Return a short digest of the stylesheet, so that its address changes with a hue."""
    return hashlib.blake2b(stylesheet(lanes).encode(), digest_size=4).hexdigest()
