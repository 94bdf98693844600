"""What images cost, by the rows of `Price`: the most before a call, the cost after it.

A model is priced by the image (Workers AI), or by tokens (OpenAI). Of the latter a row's figure for
the image is what the vendor says that it comes to, and bounds the call; the bill is by the tokens.
"""

from collections.abc import Mapping
from typing import Any

from publishing.ledger.errors import UnknownPriceError
from publishing.models import Price
from publishing.providers.images import quality_of

# The vendor rounds what an image comes to, and the tokens of one vary a little.
_SPARE_PERCENT = 25
_VENDOR_TOKENS = 200


def worst_case(request: Mapping[str, Any]) -> int:
    """Return the most micro-dollars that a request for one image can cost: the hold.

    Raises:
        UnknownPriceError: the model has no price for this size and quality.
    """
    prompt_bytes = len(str(request["prompt"]).encode(errors="backslashreplace"))
    return worst_of_image(
        str(request.get("model", "")),
        str(request.get("size", "")),
        quality_of(request),
        prompt_bytes=prompt_bytes,
    )


def worst_of_image(model: str, size: str, quality: str, *, prompt_bytes: int) -> int:
    """Return the most micro-dollars that any request within these bounds can cost.

    Raises:
        UnknownPriceError: the model has no price for this size and quality.
    """
    price = _price(model, size, quality)
    if price is None:
        raise UnknownPriceError(
            f"the model {model!r} has no price of an image of {size}, {quality}, so nothing may "
            "be sent to it; add one in the admin, or set IMAGE_MODEL to a priced one"
        )
    image = price.image * (100 + _SPARE_PERCENT) // 100 if price.answer else price.image
    return _micros(image) + _micros((prompt_bytes + _VENDOR_TOKENS) * price.prompt)


def cost_of(model: str, usage: Mapping[str, Any]) -> int | None:
    """Return the micro-dollars by the usage; None if it cannot be read or priced.

    The usage is the vendor's, with the size and quality that were asked for.
    """
    price = _price(model, str(usage.get("size", "")), str(usage.get("quality", "")))
    if price is None:
        return None
    if not price.answer:
        return _micros(price.image)
    prompt, answer = usage.get("input_tokens"), usage.get("output_tokens")
    if not (_is_count(prompt) and _is_count(answer)) or not answer:
        return None  # no image is made of no tokens
    return _micros(int(prompt or 0) * price.prompt) + _micros(int(answer) * price.answer)


def _price(model: str, size: str, quality: str) -> Price | None:
    return (
        Price.objects.filter(
            kind=Price.Kind.IMAGE, model=model, size=size, quality=quality, valid_until=None
        )
        .exclude(image=0)
        .first()
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _micros(nanos: int) -> int:
    return -(-nanos // 1_000)
