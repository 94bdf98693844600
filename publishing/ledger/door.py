"""The one way to a paid provider: reserve, send once, settle."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, connection

from publishing.ledger import economy, embedding_prices, image_prices, prices
from publishing.ledger.booking import book
from publishing.ledger.keys import Answer, PaidCall
from publishing.ledger.reserve import Hold, reserve
from publishing.ledger.settle import lose, release
from publishing.ledger.tariffs import Tariff
from publishing.providers import images, text, voyage
from publishing.providers.attempts import Reply, SendError, open_attempt
from workflows.errors import RetryableError

logger = logging.getLogger(__name__)

_LEAST_TIME = timedelta(seconds=1)  # less is no time to send anything in


@dataclass(frozen=True)
class Provider:
    """How a kind of paid request is checked, bounded, sent and priced.

    `worst_case(request, tariff=…)` and `cost_of(model, usage, tariff=…)` go by one tariff.
    """

    check: Callable[[Mapping[str, Any]], None]
    tariff_of: Callable[[Mapping[str, Any]], Tariff]
    worst_case: Callable[..., int]
    send: Callable[[Mapping[str, Any]], Reply]
    cost_of: Callable[..., int | None]


PROVIDERS: Mapping[str, Provider] = {
    "text": Provider(text.check, prices.tariff_of, prices.worst_case, text.send, prices.cost_of),
    "embedding": Provider(
        voyage.check,
        embedding_prices.tariff_of,
        embedding_prices.worst_case,
        voyage.send,
        embedding_prices.cost_of,
    ),
    "image": Provider(
        images.check,
        image_prices.tariff_of,
        image_prices.worst_case,
        images.send,
        image_prices.cost_of,
    ),
}


def pay(call: PaidCall) -> Answer:
    """Return the answer of a paid call: the stored one, or a new one within every cap.

    Raises:
        Park: it waits, for a reason of `publishing.ledger.reserve`, and nothing was sent; or for
            the batch that it was ordered in.
        NonRetryableError: refused for good, by us before anything was sent or by the provider.
        RetryableError: the provider did not answer, or asked to come back later.
        OpenTransactionError: the caller has a transaction open; nothing was sent.
    """
    provider = PROVIDERS[call.provider]
    provider.check(call.request)
    if call.economy:
        return economy.pay(call)
    tariff = provider.tariff_of(call.request)  # once: hold and bill go by the same rates
    held_micros = provider.worst_case(call.request, tariff=tariff)
    timeout = call.deadline - datetime.now(UTC)
    if timeout < _LEAST_TIME:
        raise RetryableError(f"{call.key} has no time left before its deadline {call.deadline}")
    found = reserve(call, held_micros, timeout, price_version=tariff.version)
    if isinstance(found, Answer):
        return found
    reply = _send(call, provider, found, timeout)
    cost_micros = provider.cost_of(call.model, reply.usage, tariff=tariff)
    return book(call, found, reply, cost_micros=cost_micros)


def _send(call: PaidCall, provider: Provider, hold: Hold, timeout: timedelta) -> Reply:
    connection.close()  # others may use it while this thread waits for the network
    try:
        with open_attempt(hold.call, timeout):
            return provider.send(call.request)
    except SendError as failure:
        _close_failed(hold, failure)
        raise failure.error from failure
    except BaseException as error:  # also what ends the process: the request may be under way
        _close_failed(hold, error)
        raise


def _close_failed(hold: Hold, error: BaseException) -> None:
    """Release or lose the hold; if the database is away, the lease will lose it."""
    close = release if isinstance(error, SendError) and not error.may_be_billed else lose
    try:
        close(hold.call, f"{type(error).__name__}: {error}")
    except (DatabaseError, InterfaceError):
        logger.exception("call %s stays held until its lease ends", hold.call)
