"""What callers hand to the engine as JSON: checked where they stand, before anything is written."""

import json
from typing import Any

from workflows.errors import PayloadError

PAYLOAD_BYTES_MAX = 1024 * 1024  # of an envelope or an event, as on Cloudflare Workflows


def dumps(value: Any, *, what: str) -> str:
    """Return the value as JSON that Postgres holds.

    Args:
        value: whatever `json` takes; no NaN, no NUL, no lone surrogate, at most 1 MiB.
        what: names it in the error, with the ID it belongs to.

    Raises:
        PayloadError: it cannot be stored; nothing was written.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadError(f"{what} is no JSON that can be stored: {error}") from None
    if size > PAYLOAD_BYTES_MAX:
        raise PayloadError(f"{what} has {size} bytes; {PAYLOAD_BYTES_MAX} (1 MiB) is the most")
    if "\\u0000" in text:
        raise PayloadError(f"{what} has a text with NUL, which Postgres cannot hold")
    return text
