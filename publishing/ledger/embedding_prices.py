"""What embeddings cost, by the rows of `Price`: the most before a call, the cost after it."""

from collections.abc import Mapping
from typing import Any

from publishing.ledger.errors import UnknownPriceError
from publishing.models import Price

# A byte-level tokenizer makes no more tokens than there are bytes; the vendor marks each text.
_VENDOR_TOKENS = 16


def worst_case(request: Mapping[str, Any]) -> int:
    """Return the most micro-dollars that a request for embeddings can cost: the hold.

    Raises:
        UnknownPriceError: the model has no price.
    """
    # A lone surrogate is sent as an escape of six bytes.
    sizes = [len(text.encode(errors="backslashreplace")) for text in request["input"]]
    return worst_of_bytes(str(request.get("model", "")), sum(sizes), texts=len(sizes))


def worst_of_bytes(model: str, text_bytes: int, *, texts: int) -> int:
    """Return the most micro-dollars that so many texts of so many bytes in all can cost.

    Raises:
        UnknownPriceError: the model has no price.
    """
    rate = _rate(model)
    if rate is None:
        raise UnknownPriceError(
            f"the model {model!r} has no price of embeddings, so nothing may be sent to it; add "
            "one in the admin, or set EMBEDDING_MODEL to a priced one"
        )
    return max(1, _micros((text_bytes + texts * _VENDOR_TOKENS) * rate))


def cost_of(model: str, usage: Mapping[str, Any]) -> int | None:
    """Return the micro-dollars by the vendor's usage; None if it cannot be read or priced."""
    tokens, rate = usage.get("total_tokens"), _rate(model)
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1 or rate is None:
        return None
    return _micros(tokens * rate)


def _rate(model: str) -> int | None:
    """Return nano-dollars a token by the row that holds now; a price of nothing is none."""
    rows = Price.objects.filter(kind=Price.Kind.EMBEDDING, model=model, valid_until=None)
    return rows.exclude(prompt=0).values_list("prompt", flat=True).first()


def _micros(nanos: int) -> int:
    return -(-nanos // 1_000)
