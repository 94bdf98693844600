"""What tests of the ledger share: calls to pay for, holds left behind, and the books."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from publishing.ledger import PaidCall
from publishing.ledger.reserve import Hold, reserve
from publishing.models import Call

MODEL = "claude-sonnet-5-5"
COST = 1_000 * 2 + 500 * 10  # micro-dollars of the server's usual answer


def call_for(
    brief_id: str = "b1", *, text: str = "write", seconds: float = 60, **fields: Any
) -> PaidCall:
    request = {
        "model": MODEL,
        "max_tokens": 1_000,
        "messages": [{"role": "user", "content": text}],
    }
    defaults: dict[str, Any] = {
        "provider": "text",
        "lane": "news",
        "entry": "generate",
        "label": "body",
        "request": request,
        "deadline": datetime.now(UTC) + timedelta(seconds=seconds),
    }
    return PaidCall(brief_id=brief_id, **(defaults | fields))


HOLD = 18_311  # micro-dollars: the most that this call may cost by the seeded prices


def hold_open(call: PaidCall, *, drain: int | None = None, lapsed: bool = False) -> Call:
    """Leave a hold behind, as a worker does that is killed between reserve and settle."""
    found = reserve(call, HOLD, timedelta(seconds=60), price_version="v1")
    assert isinstance(found, Hold)
    rows = Call.objects.filter(pk=found.call)
    rows.update(drain=drain)
    if lapsed:
        rows.update(lease_until=datetime.now(UTC) - timedelta(seconds=1))
    return rows.get()


def books() -> dict[str, tuple[int, int]]:
    """Return held and spent of each bucket, checked against the calls and the caps."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select b.key, b.held_micros, b.spent_micros, b.cap_micros,
                coalesce(sum(c.held_micros) filter (where c.state = 'held'), 0),
                coalesce(sum(c.cost_micros) filter (where c.state <> 'held'), 0)
            from publishing_bucket as b
            left join publishing_call as c on c.buckets ? b.key
            group by b.key
            """
        )
        rows = cursor.fetchall()
    for key, held, spent, cap, open_calls, closed_calls in rows:
        assert (held, spent) == (open_calls, closed_calls), key
        assert held + spent <= cap, key
    return {key.split(":")[0]: (held, spent) for key, held, spent, *_ in rows}


def everywhere(held: int, spent: int) -> dict[str, tuple[int, int]]:
    """Return the books of a ledger with one payer: the same in each of its buckets."""
    return dict.fromkeys(("step", "brief", "lane-day", "day"), (held, spent))


def at_once(count: int, act: Callable[[int], object]) -> list[object]:
    """Run `act` in threads that start together; return what each returned or raised."""
    barrier = threading.Barrier(count)

    def run(number: int) -> object:
        try:
            barrier.wait()
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(run, number) for number in range(count)]
    return [future.exception() or future.result() for future in futures]
