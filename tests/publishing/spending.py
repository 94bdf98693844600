"""Rows of calls that tests of sums and pages look at."""

from datetime import UTC, datetime
from typing import Any

from publishing.models import Call

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def call_row(brief_id: str, **fields: Any) -> Call:
    """Store a call as the ledger would have left it; settled, if nothing else is said."""
    entry = fields.get("entry", "generate")
    row: dict[str, Any] = {
        "key": f"{brief_id}/{entry}/0/body",
        "request_hash": "0",
        "state": "settled",
        "lane": "news",
        "entry": entry,
        "provider": "text",
        "bundle": 3,
        "model": "m",
        "buckets": [],
        "held_micros": 200_000,
        "cost_micros": 1_000,
        "price_version": "v1",
        "request_id": f"req_{brief_id}",
        "lease_until": NOON,
        "created_at": NOON,
    }
    return Call.objects.create(brief_id=brief_id, **(row | fields))
