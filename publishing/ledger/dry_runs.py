"""A text request as it would be sent, and what it would come to; nothing is held or sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from publishing.ledger import prices
from publishing.providers import text


@dataclass(frozen=True)
class DryRun:
    """What a request would be.

    Attributes:
        body: as it goes over the wire, byte for byte.
        tokens: of the prompt, about.
        expected_micros: what it usually comes to.
        worst_micros: the hold that it would be given.
    """

    body: bytes
    tokens: int
    expected_micros: int
    worst_micros: int


def dry_run(request: Mapping[str, Any], *, is_batch: bool = False) -> DryRun:
    """Return the bytes and the bounds of a text request.

    Raises:
        NonRetryableError: it would be refused before anything is sent.
        UnknownPriceError: its model has no price that holds now.
    """
    text.check(request)
    body = text.body_of(request)
    worst_micros = prices.worst_case(request, is_batch=is_batch)
    expected = prices.estimate(
        str(request["model"]),
        prompt_bytes=len(body),
        max_tokens=int(request["max_tokens"]),
        is_batch=is_batch,
    )
    return DryRun(
        body=body,
        tokens=prices.expected_tokens(len(body)),
        expected_micros=min(expected.expected_micros, worst_micros),
        worst_micros=worst_micros,
    )
