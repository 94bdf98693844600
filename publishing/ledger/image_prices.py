"""What images cost, by the rows of `Price`: the most before a call, the cost after it.

A model is priced by the image (Workers AI), or by tokens (OpenAI). Of the latter a row's figure for
the image is what the vendor says that it comes to, and bounds the call; the bill is by the tokens.
"""

from collections.abc import Mapping
from typing import Any

from publishing.ledger.tariffs import Tariff, read_tariff
from publishing.ledger.tokens import is_count
from publishing.models import Price
from publishing.providers.images import quality_of

# The vendor rounds what an image comes to, and the tokens of one vary a little.
_SPARE_PERCENT = 25
_VENDOR_TOKENS = 200


def tariff_of(request: Mapping[str, Any]) -> Tariff:
    """Return the rates that a request for one image is bounded and billed by.

    Raises:
        UnknownPriceError: the model has no price for this size and quality.
    """
    return read_tariff(
        str(request.get("model", "")),
        kind=Price.Kind.IMAGE,
        size=str(request.get("size", "")),
        quality=quality_of(request),
    )


def worst_case(request: Mapping[str, Any], *, tariff: Tariff) -> int:
    """Return the most micro-dollars that a request for one image can cost: the hold."""
    return _bound(tariff, len(str(request["prompt"]).encode(errors="backslashreplace")))


def worst_of_image(model: str, size: str, quality: str, *, prompt_bytes: int) -> int:
    """Return the most micro-dollars that any request within these bounds can cost.

    Raises:
        UnknownPriceError: the model has no price for this size and quality.
    """
    tariff = read_tariff(model, kind=Price.Kind.IMAGE, size=size, quality=quality)
    return _bound(tariff, prompt_bytes)


def cost_of(model: str, usage: Mapping[str, Any], *, tariff: Tariff) -> int | None:
    """Return the micro-dollars by the vendor's usage; None if it cannot be read."""
    price = tariff.tier(0)
    if not price.answer:
        return _micros(price.image)
    prompt, answer = usage.get("input_tokens"), usage.get("output_tokens")
    if not (is_count(prompt) and is_count(answer)) or not answer:
        return None  # no image is made of no tokens
    return _micros(int(prompt or 0) * price.prompt) + _micros(int(answer) * price.answer)


def _bound(tariff: Tariff, prompt_bytes: int) -> int:
    price = tariff.tier(0)
    image = price.image * (100 + _SPARE_PERCENT) // 100 if price.answer else price.image
    return _micros(image) + _micros((prompt_bytes + _VENDOR_TOKENS) * price.prompt)


def _micros(nanos: int) -> int:
    return -(-nanos // 1_000)
