"""Book an answer that came: settled surely, since it is paid for whatever happens here."""

import logging
import time

from django.db import DatabaseError, InterfaceError, connection

from publishing.ledger.keys import Answer, PaidCall
from publishing.ledger.reserve import Hold
from publishing.ledger.settle import settle
from publishing.models import Call
from publishing.providers.attempts import Reply

logger = logging.getLogger(__name__)

_PAUSES = (0.2, 1.0, 5.0)  # seconds; a paid answer is worth waiting for the database


def book(call: PaidCall, hold: Hold, reply: Reply, *, cost_micros: int | None) -> Answer:
    """Settle the call with its answer and return it.

    Args:
        cost_micros: None where the usage cannot be read; then the hold is spent in full.
    """
    outcome = "" if cost_micros is not None else "no usage to price it by; counted in full"
    cost_micros = hold.held_micros if cost_micros is None else cost_micros
    if cost_micros > hold.held_micros:
        logger.error(
            "call %s (%s, request %s) cost %s micro-dollars, more than its hold of %s",
            hold.call, call.model, reply.request_id, cost_micros, hold.held_micros,
        )  # fmt: skip
        outcome = "it cost more than was held"
    if not _settle_surely(hold, reply, cost_micros, outcome):
        # Somebody closed it meanwhile: what they booked is what it cost.
        cost_micros = Call.objects.values_list("cost_micros", flat=True).get(pk=hold.call) or 0
    return Answer(call=hold.call, body=reply.answer, cost_micros=cost_micros, is_memo=False)


def _settle_surely(hold: Hold, reply: Reply, cost_micros: int, outcome: str) -> bool:
    """Settle, and again on a new connection where the first was lost; twice changes nothing."""
    for pause in _PAUSES:
        try:
            return settle(hold.call, reply, cost_micros=cost_micros, outcome=outcome)
        except (DatabaseError, InterfaceError):
            logger.exception("call %s is paid and not settled; trying again", hold.call)
            connection.close()
            time.sleep(pause)
    return settle(hold.call, reply, cost_micros=cost_micros, outcome=outcome)
