"""The sample briefs, one for each lane, on pages that the demo serves itself."""

import json
from pathlib import Path
from typing import Any

BRIEFS = Path(__file__).parent / "briefs"
PLACEHOLDER = "{sources}"  # where the briefs name the server of their source pages
# The order of the lanes on the site; the demo posts in it.
LANES = ("news", "dev", "build", "design", "marketing", "founders", "business", "research")


def load_briefs(sources_url: str) -> list[dict[str, Any]]:
    """Return the briefs as they are posted, with the address at which their sources stand.

    Args:
        sources_url: such as `http://127.0.0.1:18900`, without a slash at the end.
    """
    return [_load(BRIEFS / f"{lane}.json", sources_url) for lane in LANES]


def _load(file: Path, sources_url: str) -> dict[str, Any]:
    text = file.read_text().replace(PLACEHOLDER, sources_url)
    brief: dict[str, Any] = json.loads(text)
    return brief
