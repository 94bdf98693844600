"""What benches of the ledger do over and over: reserve for a brief of its own, and time it."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

from publishing.ledger import PaidCall
from publishing.ledger.reserve import reserve

MODEL = "claude-sonnet-5-5"
HOLD = 18_000  # micro-dollars; what a short text may cost
TIMEOUT = timedelta(minutes=5)

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Span:
    """How often everything is measured, and for how long each time."""

    rounds: int
    seconds: float


def call_in(lane: str = "open") -> PaidCall:
    """Return a call for a brief of its own."""
    return PaidCall(
        provider="text",
        brief_id=f"{lane}-{next(_numbers)}",
        lane=lane,
        entry="generate",
        label="body",
        request={
            "model": MODEL,
            "max_tokens": 1_000,
            "messages": [{"role": "user", "content": "write"}],
        },
        deadline=datetime.now(UTC) + TIMEOUT,
    )


def reserve_one(lane: str = "open") -> None:
    """Reserve as a step does, and give the connection back as the ledger does before it sends."""
    reserve(call_in(lane), HOLD, TIMEOUT, price_version="bench")
    connection.close()


def repeat(act: Callable[[], object], seconds: float) -> list[float]:
    """Do it until the time is over, twice at least; return the milliseconds that each took."""
    ends_at = time.perf_counter() + seconds
    taken = [milliseconds(act), milliseconds(act)]
    while time.perf_counter() < ends_at:
        taken.append(milliseconds(act))
    return taken


def milliseconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return (time.perf_counter() - begun) * 1_000
