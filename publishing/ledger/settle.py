"""After a paid request: its hold becomes the real cost, or nothing, or is spent in full.

Each is one statement that compares and sets the call's state, so of two that close a call one
does, and the buckets move with it.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from django.db import connection

from publishing.models import Call
from publishing.providers.attempts import Reply

_SWEPT_AT_ONCE = 500
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # jsonb refuses NUL and lone surrogates


def settle(call: int, reply: Reply, *, cost_micros: int, outcome: str = "") -> bool:
    """Book the real cost and store the raw answer; False if the call was closed meanwhile.

    A late answer, to a call that counts in full already, is kept as memo: it is paid for. What
    is spent stays.
    """
    stored = {
        "answer": _storable(reply.answer),
        "usage": _storable(reply.usage),
        "request_id": reply.request_id[:120],
    }
    if _close(call, Call.State.SETTLED, cost_micros=cost_micros, outcome=outcome, **stored):
        return True
    with connection.cursor() as cursor:
        cursor.execute(_KEEP_LATE, {"id": call, **stored})
    return False


def release(call: int, outcome: str) -> bool:
    """Give the hold back: the request was never sent, or refused before any work."""
    return _close(call, Call.State.RELEASED, cost_micros=0, outcome=outcome)


def lose(call: int, outcome: str) -> bool:
    """Spend the hold in full: nobody can say whether the request was paid."""
    return _close(call, Call.State.UNKNOWN, cost_micros=None, outcome=outcome)


def sweep() -> int:
    """Lose every call whose lease is over by the database's clock; return how many."""
    swept = 0
    while lapsed := _find_lapsed():
        swept += sum(lose(call, "its lease ended without an answer") for call in lapsed)
    return swept


def _find_lapsed() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_LAPSED, [_SWEPT_AT_ONCE])
        return [call for (call,) in cursor.fetchall()]


def _close(
    call: int,
    state: Call.State,
    *,
    cost_micros: int | None,
    outcome: str,
    answer: str | None = None,
    usage: str | None = None,
    request_id: str = "",
) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            _CLOSE,
            {
                "id": call,
                "state": state,
                "cost": cost_micros,
                "outcome": _UNSTORABLE.sub("\ufffd", outcome),
                "answer": answer,
                "usage": usage,
                "request_id": request_id,
            },
        )
        return bool(cursor.fetchone()[0])


def _storable(value: Mapping[str, Any]) -> str:
    return json.dumps(_replaced(value), ensure_ascii=False)


def _replaced(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_replaced(key): _replaced(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item) for item in value]
    return value


# A cost of NULL is the whole hold.
_CLOSE = """
with closed as (
    update publishing_call
    set state = %(state)s, cost_micros = coalesce(%(cost)s::bigint, held_micros),
        answer = %(answer)s::jsonb, usage = %(usage)s::jsonb, request_id = %(request_id)s,
        outcome = %(outcome)s, closed_at = now()
    where id = %(id)s and state = 'held'
    returning buckets, held_micros, cost_micros
), locked as materialized (
    select b.key, closed.held_micros as held, closed.cost_micros as cost
    from publishing_bucket as b
    join closed on b.key in (select jsonb_array_elements_text(closed.buckets))
    order by b.key for update of b
), moved as (
    update publishing_bucket as b
    set held_micros = b.held_micros - locked.held, spent_micros = b.spent_micros + locked.cost
    from locked where b.key = locked.key
)
select count(*) from closed
"""

_KEEP_LATE = """
update publishing_call
set answer = %(answer)s::jsonb, usage = %(usage)s::jsonb, request_id = %(request_id)s,
    outcome = 'answered late; counted in full'
where id = %(id)s and state = 'unknown' and answer is null
"""

_LAPSED = """
select id from publishing_call where state = 'held' and lease_until < now()
order by lease_until limit %s
"""
