"""After a paid request: its hold becomes the real cost, or nothing, or is spent in full.

Each is one statement that compares and sets the call's state, so of two that close a call one
does; the buckets move with it, and a bill above its hold blocks the model with it.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from django.db import connection

from publishing.models import Call
from publishing.providers.attempts import Reply
from workflows.statements import Statement, execute

_SWEPT_AT_ONCE = 500
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # jsonb refuses NUL and lone surrogates


def settle(call: int, reply: Reply, *, cost_micros: int, outcome: str = "") -> bool:
    """Book the real cost and store the raw answer; False if the call was closed meanwhile.

    A late answer, to a call that counts in full already, is kept as memo: it is paid for. What
    is spent stays, unless the bill is above the hold: then the rest is booked too.
    """
    stored = {
        "answer": _storable(reply.answer),
        "usage": _storable(reply.usage),
        "request_id": reply.request_id[:120],
    }
    if _close(call, Call.State.SETTLED, cost_micros=cost_micros, outcome=outcome, **stored):
        return True
    execute(_KEEP_LATE, {"id": call, "cost": cost_micros, **stored})
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
    parameters = {
        "id": call,
        "state": state,
        "cost": cost_micros,
        "outcome": _UNSTORABLE.sub("\ufffd", outcome),
        "answer": answer,
        "usage": usage,
        "request_id": request_id,
    }
    return bool(execute(_CLOSE, parameters)[0][0])


def _storable(value: Mapping[str, Any]) -> str:
    """Return JSON that Postgres takes, whatever came: it is paid for, so it is settled."""
    try:
        return json.dumps(_replaced(value), ensure_ascii=False)
    except RecursionError:
        return json.dumps({"not_stored": "nested too deeply"})


def _replaced(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # 1e999 is JSON, and infinite for Python; Postgres would not take it
    if isinstance(value, Mapping):
        return {_replaced(key): _replaced(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item) for item in value]
    return value


# The buckets of a closed call, locked in the order in which reserve locks them.
_LOCKED = """
locked as materialized (
    select b.key, closed.freed, closed.added
    from closed cross join lateral
        jsonb_array_elements_text(closed.buckets) with ordinality as own (key, place)
    join publishing_bucket as b on b.key = own.key
    order by own.place for update of b
), moved as (
    update publishing_bucket as b
    set held_micros = b.held_micros - locked.freed, spent_micros = b.spent_micros + locked.added
    from locked where b.key = locked.key
), blocked as (
    insert into publishing_blockedmodel (model, call_id, since)
    select model, id, now() from closed where cost_micros > held_micros
    on conflict (model) do nothing
)
select count(*) from closed
"""

# A cost of NULL is the whole hold.
_CLOSE = Statement(
    "ledger.close",
    f"""
with closed as (
    update publishing_call
    set state = %(state)s, cost_micros = coalesce(%(cost)s::bigint, held_micros),
        answer = %(answer)s::jsonb, usage = %(usage)s::jsonb, request_id = %(request_id)s,
        outcome = %(outcome)s, closed_at = now()
    where id = %(id)s and state = 'held'
    returning id, model, buckets, held_micros, cost_micros, held_micros as freed,
        cost_micros as added
), {_LOCKED}""",  # noqa: S608 - made of constants
)

# Its hold is spent already; only what a bill is above it is still to be added.
_KEEP_LATE = Statement(
    "ledger.keep_late",
    f"""
with closed as (
    update publishing_call
    set answer = %(answer)s::jsonb, usage = %(usage)s::jsonb, request_id = %(request_id)s,
        outcome = 'answered late; counted in full',
        cost_micros = greatest(held_micros, %(cost)s::bigint)
    where id = %(id)s and state = 'unknown' and answer is null
    returning id, model, buckets, held_micros, cost_micros, 0 as freed,
        greatest(0, cost_micros - held_micros) as added
), {_LOCKED}""",  # noqa: S608 - made of constants
)

_LAPSED = """
select id from publishing_call where state = 'held' and lease_until < now()
order by lease_until limit %s
"""
