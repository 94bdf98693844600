"""What embeddings cost, by the rows of `Price`: the most before a call, the cost after it."""

from collections.abc import Mapping
from typing import Any

from publishing.ledger.tariffs import Tariff, read_tariff
from publishing.ledger.tokens import is_count
from publishing.models import Price

# A byte-level tokenizer makes no more tokens than there are bytes; the vendor marks each text.
_VENDOR_TOKENS = 16


def tariff_of(request: Mapping[str, Any]) -> Tariff:
    """Return the rates that a request for embeddings is bounded and billed by.

    Raises:
        UnknownPriceError: the model has no price that holds now.
    """
    return read_tariff(str(request.get("model", "")), kind=Price.Kind.EMBEDDING)


def worst_case(request: Mapping[str, Any], *, tariff: Tariff) -> int:
    """Return the most micro-dollars that a request for embeddings can cost: the hold."""
    # A lone surrogate is sent as an escape of six bytes.
    sizes = [len(text.encode(errors="backslashreplace")) for text in request["input"]]
    return _bound(tariff, sum(sizes) + len(sizes) * _VENDOR_TOKENS)


def worst_of_texts(model: str, *, text_bytes: int, texts: int) -> int:
    """Return the most micro-dollars that so many texts of so many bytes in all can cost.

    Raises:
        UnknownPriceError: the model has no price that holds now.
    """
    tariff = read_tariff(model, kind=Price.Kind.EMBEDDING)
    return _bound(tariff, text_bytes + texts * _VENDOR_TOKENS)


def cost_of(model: str, usage: Mapping[str, Any], *, tariff: Tariff) -> int | None:
    """Return the micro-dollars by the vendor's usage; None if it cannot be read."""
    tokens = usage.get("total_tokens")
    if not is_count(tokens) or not tokens:
        return None
    return _micros(int(tokens) * tariff.tier(int(tokens)).prompt)


def _bound(tariff: Tariff, tokens: int) -> int:
    return max(1, max(_micros(tokens * tier.prompt) for tier in tariff.reachable(tokens)))


def _micros(nanos: int) -> int:
    return -(-nanos // 1_000)
