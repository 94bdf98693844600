"""Half price through a batch: ordered once and looked for until it is there; no worker waits.

An order is a hold whose custom_id is committed before anything is sent. So nothing is lost with a
worker: what it had submitted is found among the vendor's batches before anything is sent again.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from django.db import connection

from publishing.ledger import prices
from publishing.ledger.booking import book
from publishing.ledger.errors import OnlyTextsError
from publishing.ledger.keys import Answer, PaidCall
from publishing.ledger.reserve import Hold, find_memo, reserve
from publishing.ledger.settle import lose, release
from publishing.ledger.tariffs import read_tariff
from publishing.models import Call
from publishing.providers import batches, text
from publishing.providers.attempts import SendError, open_attempt
from workflows.errors import NonRetryableError, Park, RetryableError
from workflows.statements import Statement, execute

# The vendor ends every batch within 24 hours; what nobody asked for by then counts in full.
ORDER_LIFE = timedelta(hours=26)
REQUEST_TIMEOUT = timedelta(seconds=60)
# After a submit of unknown outcome: until then its batch may still come to stand in the list.
GRACE = timedelta(minutes=5)

_LOOKS = (timedelta(minutes=1), timedelta(minutes=15))  # between two: least and most
_SKEW = timedelta(minutes=10)  # of the vendor's clock against the database's


@dataclass(frozen=True)
class Order:
    """A call that is, or may be, in a batch of the vendor's."""

    hold: Hold
    request_hash: str
    custom_id: str
    batch: str
    created_at: datetime
    now: datetime

    @property
    def next_look(self) -> datetime:
        """When to ask again: the longer it has taken, the less often."""
        least, most = _LOOKS
        return self.now + min(most, max(least, (self.now - self.created_at) / 10))


def pay(call: PaidCall) -> Answer:
    """Return the answer of a call that is ordered in a batch, now or earlier.

    Raises:
        Park: `call` until the batch is there; else as `publishing.ledger.reserve` has it.
        NonRetryableError: the vendor refused the request for good; nothing was billed.
        RetryableError: the vendor could not be asked, or dropped the order without billing it.
    """
    if call.provider != "text":
        raise OnlyTextsError(f"{call.key}: only texts can be ordered at half price")
    order = _find_order(call)
    if order is not None:
        return _collect(call, order if order.batch else _find_submitted(order))
    placed = _place(call)
    if isinstance(placed, Answer):
        return placed
    raise _waiting(placed)


def _place(call: PaidCall) -> Order | Answer:
    """Hold the money, and submit once; without an answer the order stands and is looked for."""
    tariff = prices.tariff_of(call.request)
    custom_id = uuid.uuid4().hex
    found = reserve(
        call,
        prices.worst_case(call.request, tariff=tariff, is_batch=True),
        ORDER_LIFE,
        price_version=tariff.version,
        custom_id=custom_id,
    )
    if isinstance(found, Answer):
        return found
    try:
        with _attempt(found.call):
            number = batches.submit(call.request, custom_id)
    except SendError as failure:
        if not failure.may_be_billed:
            release(found.call, f"{type(failure).__name__}: {failure}")
        raise failure.error from failure
    _note_batch(found.call, number)
    now = datetime.now(UTC)
    return Order(found, call.request_hash, custom_id, number, created_at=now, now=now)


def _find_submitted(order: Order) -> Order:
    """Return the order with its batch, found by the custom_id.

    Raises:
        Park: it may yet be found.
        RetryableError: there is no such batch; it counts in full and is ordered anew.
    """
    others = set(
        Call.objects.exclude(batch="").filter(created_at__gte=order.created_at - _SKEW)
        .values_list("batch", flat=True)
    )  # fmt: skip
    is_open = order.now < order.created_at + REQUEST_TIMEOUT + GRACE
    for batch in _list_since(order):
        if batch.number in others or batch.requests != 1:
            continue
        if not batch.has_ended:
            is_open = True  # what a batch holds can be read only when it has ended
        elif _result_of(order, batch.number) is not None:
            _note_batch(order.hold.call, batch.number)
            return replace(order, batch=batch.number)
    if is_open:
        raise _waiting(order)
    _close_as_lost(order, "its submit was never answered, and no batch holds it")
    raise RetryableError(f"call {order.hold.call} was not found in any batch; it is ordered anew")


def _collect(call: PaidCall, order: Order) -> Answer:
    """Return the answer if the batch has ended.

    Raises:
        Park, NonRetryableError, RetryableError: as `pay` has it.
    """
    try:
        with _attempt(order.hold.call):
            has_ended = batches.retrieve(order.batch).has_ended
    except SendError as failure:
        if getattr(failure.error, "data", {}).get("status") == HTTPStatus.NOT_FOUND:
            _close_as_lost(order, f"the batch {order.batch} was deleted at the vendor")
            raise RetryableError(f"the batch {order.batch} is gone; it is ordered anew") from None
        raise failure.error from failure
    if not has_ended:
        raise _waiting(order)
    result = _result_of(order, order.batch)
    if result is None:
        _close_as_lost(order, f"the batch {order.batch} does not hold it")
        raise RetryableError(f"the batch {order.batch} does not hold it; it is ordered anew")
    if result.kind != "succeeded":
        raise _close_unbilled(order, result)
    reply = text.read_reply(result.message, request_id=order.batch)
    # By the rates of its hold, whatever holds now.
    tariff = read_tariff(call.model, at=order.created_at)
    cost_micros = prices.cost_of(call.model, reply.usage, tariff=tariff, is_batch=True)
    answer = book(call, order.hold, reply, cost_micros=cost_micros)
    if order.request_hash != call.request_hash:
        find_memo(call, asked_micros=order.hold.held_micros)  # says who must decide
    return answer


def _close_unbilled(order: Order, result: batches.Result) -> NonRetryableError | RetryableError:
    """Give the hold back: only what succeeded is billed."""
    said = result.error.get("message") or result.error.get("type") or "no reason given"
    words = f"the batch {order.batch} {result.kind}: {said}"
    release(order.hold.call, words)
    _forget(order)
    if result.error.get("type") == "invalid_request_error":
        return NonRetryableError(words, data={"call": order.hold.call, "batch": order.batch})
    return RetryableError(f"{words}; it was not billed and is ordered anew")


def _close_as_lost(order: Order, why: str) -> None:
    lose(order.hold.call, why)
    _forget(order)


def _waiting(order: Order) -> Park:
    where = f"batch {order.batch}" if order.batch else "a batch that is looked for"
    return Park(
        "call",
        f"call {order.hold.call} is ordered at half price in {where}; it takes up to a day",
        until=order.next_look,
        data={"call": order.hold.call, "batch": order.batch},
    )


def _list_since(order: Order) -> Iterator[batches.Batch]:
    connection.close()  # others may use it while this thread waits for the network
    try:
        yield from batches.list_since(
            order.created_at - _SKEW, call=order.hold.call, timeout=REQUEST_TIMEOUT
        )
    except SendError as failure:
        raise failure.error from failure


def _result_of(order: Order, number: str) -> batches.Result | None:
    try:
        with _attempt(order.hold.call):
            return batches.find_result(number, order.custom_id)
    except SendError as failure:
        raise failure.error from failure


@contextmanager
def _attempt(call: int) -> Iterator[None]:
    connection.close()  # others may use it while this thread waits for the network
    with open_attempt(call, REQUEST_TIMEOUT):
        yield


def _find_order(call: PaidCall) -> Order | None:
    rows = execute(_ORDER, {"brief": call.brief_id, "key": call.key})
    if not rows:
        return None
    number, held_micros, request_hash, custom_id, batch, created_at, now = rows[0]
    hold = Hold(call=number, held_micros=held_micros)
    return Order(hold, request_hash, custom_id, batch, created_at=created_at, now=now)


def _note_batch(call: int, number: str) -> None:
    execute(_NOTE_BATCH, {"id": call, "batch": number})


def _forget(order: Order) -> None:
    execute(_FORGET, {"id": order.hold.call})


# Also one that the sweep has closed: its batch may have ended well all the same.
_ORDER = Statement(
    "ledger.order",
    """
select id, held_micros, request_hash, custom_id, batch, created_at, now() from publishing_call
where brief_id = %(brief)s and key = %(key)s and awaits_batch and answer is null
    and state in ('held', 'unknown')
order by id desc limit 1
""",
)

_NOTE_BATCH = Statement(
    "ledger.note_batch", "update publishing_call set batch = %(batch)s where id = %(id)s"
)

# A call that was swept stays `unknown`; this keeps it from being looked for again.
_FORGET = Statement(
    "ledger.forget_order", "update publishing_call set awaits_batch = false where id = %(id)s"
)
