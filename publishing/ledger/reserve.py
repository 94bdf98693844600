"""Before a paid request: an answer that is paid already, or a hold of the most it can cost.

The unique constraint decides which of many callers holds; the buckets' rows, locked in the order
of their keys by one statement, decide whether there is room. Statements as tried with 24 threads.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from publishing.ledger import caps, settle
from publishing.ledger.caps import Limit, Refusal
from publishing.ledger.errors import OpenTransactionError
from publishing.ledger.keys import Answer, PaidCall
from publishing.ledger.prices import PRICE_VERSION
from workflows.errors import Park

MOST_LOST = 3  # sends of one key whose answer was lost; then a person decides
# A hold outlives its call's deadline by this, so that the sweep meets only dead calls.
LEASE_SPARE = timedelta(seconds=60)

_LOOKS = 5  # a key that changes hands more often between two statements is asked for later
_SOON = timedelta(seconds=5)


@dataclass(frozen=True)
class Hold:
    """Money set aside for one request, committed."""

    call: int
    held_micros: int


class _AlreadyAnsweredError(Exception):
    """A lost answer came in while we reserved; the hold is rolled back and the answer served."""


def reserve(call: PaidCall, held_micros: int, timeout: timedelta) -> Hold | Answer:
    """Hold the money for a call in a transaction of its own, or serve what is paid already.

    Args:
        held_micros: the most that the call can cost.
        timeout: time after which its answer is given up.

    Raises:
        Park: `call`, `operator`, `busy` or `budget`; nothing is held.
        OverCapError: it can never fit; nothing is held.
        OpenTransactionError: the caller has a transaction open.
    """
    if connection.in_atomic_block:
        raise OpenTransactionError(f"{call.key} was to be paid within a transaction")
    for _ in range(_LOOKS):
        memo = find_memo(call, asked_micros=held_micros)
        if memo:
            return memo
        _close_lapsed_hold(call)
        try:
            hold = _hold(call, held_micros, timeout)
        except _AlreadyAnsweredError:
            continue
        if hold:
            return hold
    raise Park("call", f"{call.key} is asked for by many at once", until=_now() + _SOON)


def find_memo(call: PaidCall, *, asked_micros: int) -> Answer | None:
    """Return the stored answer of the call, if it was paid for, and count that it was served.

    Raises:
        Park: `operator`, where the key was paid for with another request.
    """
    rows = _rows(_MEMO, call=call)
    if not rows:
        return None
    number, request_hash, body, cost_micros = rows[0]
    if request_hash != call.request_hash:
        raise Park(
            "operator",
            f"{call.key} is paid for, but its request has changed since; it is not paid for twice. "
            "Retry once the request is as it was, or terminate.",
            data={"call": number, "paid_micros": cost_micros, "asked_micros": asked_micros}
            | {"choices": ["retry", "terminate"]},
        )
    _rows("update publishing_call set served = served + 1 where id = %(id)s", id=number)
    return Answer(call=number, body=json.loads(body), cost_micros=cost_micros, is_memo=True)


def _close_lapsed_hold(call: PaidCall) -> None:
    """Close the key's open hold if nobody is behind it any more; wait if somebody is."""
    for number, lease_until, is_live in _rows(_OPEN, call=call):
        if is_live:
            raise Park(
                "call",
                f"{call.key} is being paid for by call {number}",
                until=lease_until,
                data={"call": number},
            )
        settle.lose(number, "the drain that sent it is gone; its answer is lost")


def _hold(call: PaidCall, held_micros: int, timeout: timedelta) -> Hold | None:
    """Insert the open call and raise its buckets, together; None if the key is taken."""
    now = _now()
    limits = caps.limits_for(call, now.date())
    caps.refuse_impossible(call, held_micros, limits)
    _rows(_MAKE_BUCKETS, limits=limits)
    with transaction.atomic(durable=True):
        inserted = _rows(
            _INSERT,
            call=call,
            limits=limits,
            held=held_micros,
            price_version=PRICE_VERSION,
            lease=timeout + LEASE_SPARE,
        )
        if not inserted:
            return None
        _refuse_lost(call)
        refusals = _raise_buckets(limits, held_micros)
        if refusals:
            raise caps.park(call, held_micros, refusals, now)
    return Hold(call=inserted[0][0], held_micros=held_micros)


def _refuse_lost(call: PaidCall) -> None:
    """Refuse another send where too many were lost; this call's row keeps others out."""
    lost, spent_micros, has_answer = _rows(_LOST, call=call)[0]
    if has_answer:
        raise _AlreadyAnsweredError
    if lost >= MOST_LOST:
        raise Park(
            "operator",
            f"{call.key} was sent {lost} times and no answer arrived; each counts in full. "
            "Retry if an answer may have come in late, or terminate.",
            data={"lost_sends": lost, "spent_micros": spent_micros}
            | {"choices": ["retry", "terminate"]},
        )


def _raise_buckets(limits: Sequence[Limit], held_micros: int) -> list[Refusal]:
    """Raise what the buckets hold and return those without room; if any, the caller rolls back."""
    rows = _rows(_RAISE, limits=limits, held=held_micros)
    found = {key: (spent, held) for key, spent, held in rows}
    return [
        Refusal(limit, *found[limit.bucket])
        for limit in limits
        if sum(found[limit.bucket]) + held_micros > limit.cap_micros
    ]


def _now() -> datetime:
    now: datetime = _rows("select now()")[0][0]
    return now


def _rows(
    statement: str,
    *,
    call: PaidCall | None = None,
    limits: Sequence[Limit] = (),
    **parameters: Any,
) -> list[tuple[Any, ...]]:
    if call:
        parameters |= {
            "key": call.key,
            "hash": call.request_hash,
            "brief": call.brief_id,
            "lane": call.lane,
            "entry": call.entry,
            "model": call.model,
            "drain": call.drain or None,
        }
    parameters |= {
        "buckets": [limit.bucket for limit in limits],
        "caps": [limit.cap_micros for limit in limits],
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall()) if cursor.description else []


# A settled answer stands before one that came late; `brief_id` is what has an index for the latter.
_MEMO = """
select id, request_hash, answer::text, cost_micros from publishing_call
where brief_id = %(brief)s and key = %(key)s
    and (state = 'settled' or state = 'unknown' and answer is not null)
order by (state = 'settled') desc, id limit 1
"""

# Without a drain only the hold's own lease tells whether somebody is behind it.
_OPEN = """
select c.id, c.lease_until,
    c.lease_until > now() and (c.drain is null or exists (
        select 1 from workflows_drain as d
        where d.id = c.drain and d.ended_at is null and d.lease_until >= now()))
from publishing_call as c where c.key = %(key)s and c.state = 'held'
"""

_LOST = """
select count(*), coalesce(sum(cost_micros), 0), coalesce(bool_or(answer is not null), false)
from publishing_call where brief_id = %(brief)s and key = %(key)s and state = 'unknown'
"""

_MAKE_BUCKETS = """
insert into publishing_bucket (key, cap_micros, held_micros, spent_micros)
select key, cap, 0, 0 from unnest(%(buckets)s::text[], %(caps)s::bigint[]) as want (key, cap)
order by key
on conflict (key) do nothing
"""

_INSERT = """
insert into publishing_call (key, request_hash, state, brief_id, lane, entry, model, buckets,
    held_micros, price_version, request_id, outcome, drain, served, lease_until, created_at)
values (%(key)s, %(hash)s, 'held', %(brief)s, %(lane)s, %(entry)s, %(model)s,
    to_jsonb(%(buckets)s::text[]), %(held)s, %(price_version)s, '', '', %(drain)s, 0,
    now() + %(lease)s, now())
on conflict (key) where state in ('held', 'settled') do nothing
returning id
"""

# What is compared is what was locked: the statement's own view of the rows may be older.
_RAISE = """
with want as (
    select key, cap from unnest(%(buckets)s::text[], %(caps)s::bigint[]) as want (key, cap)
), locked as materialized (
    select b.key, b.spent_micros as spent, b.held_micros as held, want.cap
    from publishing_bucket as b join want using (key)
    order by b.key for update of b
), raised as (
    update publishing_bucket as b
    set held_micros = locked.held + %(held)s, cap_micros = locked.cap
    from locked
    where b.key = locked.key and locked.spent + locked.held + %(held)s <= locked.cap
)
select key, spent, held from locked
"""
