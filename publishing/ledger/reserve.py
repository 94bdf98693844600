"""Before a paid request: an answer that is paid already, or a hold of the most it can cost.

The unique constraint decides which of many callers holds; the buckets' rows, locked one scope
after the other, the day that all share last, decide whether there is room.
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
from workflows.errors import Park
from workflows.statements import Statement, execute

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


def reserve(
    call: PaidCall,
    held_micros: int,
    timeout: timedelta,
    *,
    price_version: str,
    custom_id: str = "",
) -> Hold | Answer:
    """Hold the money for a call in a transaction of its own, or serve what is paid already.

    Args:
        held_micros: the most that the call can cost.
        timeout: time after which its answer is given up.
        price_version: by which the call is bounded and billed; stored with it.
        custom_id: of an order at half price; its hold is nobody's, until its lease is over.

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
            hold = _hold(call, held_micros, timeout, price_version, custom_id)
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
            f"Use the paid answer, or regenerate for at most {asked_micros} micro-dollars this "
            "call; or retry once the request is as it was, or terminate.",
            data={"call": number, "paid_micros": cost_micros, "asked_micros": asked_micros}
            | {"request_hash": call.request_hash}
            | {"choices": ["use-paid-answer", "regenerate", "retry", "terminate"]},
        )
    _rows(_SERVE, id=number)
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


def _hold(
    call: PaidCall, held_micros: int, timeout: timedelta, price_version: str, custom_id: str
) -> Hold | None:
    """Insert the open call and raise its buckets, together; None if the key is taken."""
    now = _now()
    in_force = caps.read_caps()
    limits = caps.limits_for(caps.payer_of(call), now.date(), in_force)
    caps.refuse_impossible(call, held_micros, limits, in_force)
    _refuse_stopped(call)
    refusals = caps.look_for_room(limits, held_micros)
    if refusals:
        raise caps.park(call, held_micros, refusals, now)
    _rows(_MAKE_BUCKETS, limits=limits)
    with transaction.atomic(durable=True):
        inserted = _rows(
            _INSERT,
            call=call,
            limits=limits,
            held=held_micros,
            price_version=price_version,
            custom_id=custom_id,
            lease=timeout + LEASE_SPARE,
        )
        if not inserted:
            return None
        _refuse_stopped(call)  # again: now this call's row keeps others out
        # One scope after the other, the shared day last and only where the others had room.
        for limit in limits:
            refusals = _raise_bucket(limit, held_micros)
            if refusals:
                raise caps.park(call, held_micros, refusals, now)
    return Hold(call=inserted[0][0], held_micros=held_micros)


def _refuse_stopped(call: PaidCall) -> None:
    """Refuse another send where too many were lost, or the model bills more than was held."""
    lost, spent_micros, has_answer, blocking = _rows(_STOPPED, call=call)[0]
    if has_answer:
        raise _AlreadyAnsweredError
    if lost >= MOST_LOST:
        raise Park(
            "operator",
            f"{call.key} was sent {lost} times and no answer arrived; each counts in full. "
            "Retry if an answer may have come in late, regenerate, or terminate.",
            data={"lost_sends": lost, "spent_micros": spent_micros}
            | {"choices": ["regenerate", "retry", "terminate"]},
        )
    if blocking is not None:
        raise Park(
            "operator",
            f"{call.model} is blocked: call {blocking} was billed more than was held for it, so "
            "its price here is wrong. Correct the price and clear the blocked model in the admin; "
            "what waits for it goes on by itself.",
            data={"model": call.model, "call": blocking, "choices": ["retry", "terminate"]},
        )


def _raise_bucket(limit: Limit, held_micros: int) -> list[Refusal]:
    """Raise what the bucket holds, if it has room; else say so, and the caller rolls back."""
    if _rows(_RAISE, limits=[limit], held=held_micros):
        return []
    found = caps.look_for_room([limit], held_micros)
    # Room that came since is taken at the next look, which a busy call has within the minute.
    return found or [Refusal(limit, 0, limit.cap_micros)]


def _now() -> datetime:
    now: datetime = _rows(_NOW)[0][0]
    return now


def _rows(
    statement: Statement,
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
            "provider": call.provider,
            "bundle": call.bundle,
            "model": call.model,
            "drain": call.drain or None,
        }
    parameters |= {
        "buckets": [limit.bucket for limit in limits],
        "caps": [limit.cap_micros for limit in limits],
    }
    return execute(statement, parameters)


_NOW = Statement("ledger.now", "select now()")

# A settled answer stands before one that came late; `brief_id` is what has an index for the latter.
_MEMO = Statement(
    "ledger.memo",
    """
select id, request_hash, answer::text, cost_micros from publishing_call
where brief_id = %(brief)s and key = %(key)s
    and (state = 'settled' or state = 'unknown' and answer is not null)
order by (state = 'settled') desc, id limit 1
""",
)

_SERVE = Statement(
    "ledger.serve", "update publishing_call set served = served + 1 where id = %(id)s"
)

# Without a drain, or ordered in a batch, only its own lease tells whether an answer may come.
_OPEN = Statement(
    "ledger.open",
    """
select c.id, case when c.awaits_batch then now() + interval '1 minute' else c.lease_until end,
    c.lease_until > now() and (c.drain is null or c.awaits_batch or exists (
        select 1 from workflows_drain as d
        where d.id = c.drain and d.ended_at is null and d.lease_until >= now()))
from publishing_call as c where c.key = %(key)s and c.state = 'held'
""",
)

_STOPPED = Statement(
    "ledger.stopped",
    """
select count(*), coalesce(sum(cost_micros), 0), coalesce(bool_or(answer is not null), false),
    (select call_id from publishing_blockedmodel where model = %(model)s)
from publishing_call where brief_id = %(brief)s and key = %(key)s and state = 'unknown'
""",
)

_MAKE_BUCKETS = Statement(
    "ledger.make_buckets",
    """
insert into publishing_bucket (key, cap_micros, held_micros, spent_micros)
select key, cap, 0, 0 from unnest(%(buckets)s::text[], %(caps)s::bigint[]) as want (key, cap)
order by key
on conflict (key) do nothing
""",
)

_INSERT = Statement(
    "ledger.insert",
    """
insert into publishing_call (key, request_hash, state, brief_id, lane, entry, provider, bundle,
    model, buckets, held_micros, price_version, custom_id, batch, awaits_batch, request_id, outcome,
    drain, served, lease_until, created_at)
values (%(key)s, %(hash)s, 'held', %(brief)s, %(lane)s, %(entry)s, %(provider)s,
    %(bundle)s, %(model)s, to_jsonb(%(buckets)s::text[]), %(held)s, %(price_version)s,
    %(custom_id)s, '', %(custom_id)s <> '', '', '', %(drain)s, 0, now() + %(lease)s, now())
on conflict (key) where state in ('held', 'settled') do nothing
returning id
""",
)

_RAISE = Statement(
    "ledger.raise",
    """
update publishing_bucket as b
set held_micros = b.held_micros + %(held)s, cap_micros = want.cap
from unnest(%(buckets)s::text[], %(caps)s::bigint[]) as want (key, cap)
where b.key = want.key and b.spent_micros + b.held_micros + %(held)s <= want.cap
returning b.key
""",
)
