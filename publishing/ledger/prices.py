"""What models cost: the most before a call, the real cost after it. A model not here is refused.

All rates are nano-dollars a token, which is a thousand times the vendor's dollars per million
tokens; money is whole micro-dollars, each part of a bill rounded up.

Sources, as read on 2026-11-22: platform.claude.com/docs, pages "pricing" and "models" (Sonnet 5.5:
2 in, 10 out, 2.50 and 4 for cache writes of 5 minutes and 1 hour; Haiku 5.5 up to 100,000 tokens
of prompt: 0.10, 0.50, 0.125, 0.20, cache read 0.01; above: five times that on every token).
Sonnet 5.5's cache read of 0.10 holds since 2026-10-07 by the vendor's release notes (0.20 before).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from publishing.ledger.errors import UnknownPriceError
from publishing.ledger.keys import canonical_json

PRICE_VERSION = "2026-11-22"  # stored with each call; changes with any number below

# A byte-level tokenizer makes no more tokens than there are bytes; the vendor adds some.
_VENDOR_TOKENS = 2_000
_BYTES_A_TOKEN = 4  # of English prose, about; only to say what is expected
_EXPECTED_OUTPUT = 2_500  # tokens of an article of 650 to 900 words with its JSON


@dataclass(frozen=True)
class Rates:
    """Nano-dollars a token.

    Attributes:
        above: tokens of prompt (read, written and uncached) above which these rates hold.
    """

    above: int
    prompt: int
    answer: int
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int


@dataclass(frozen=True)
class Estimate:
    """What a call is expected to cost, and the most that it can."""

    expected_micros: int
    worst_micros: int


PRICES: Mapping[str, tuple[Rates, ...]] = {
    "claude-sonnet-5-5": (
        Rates(
            above=0,
            prompt=2_000,
            answer=10_000,
            cache_write_5m=2_500,
            cache_write_1h=4_000,
            cache_read=100,
        ),
    ),
    "claude-haiku-5-5": (
        Rates(
            above=0,
            prompt=100,
            answer=500,
            cache_write_5m=125,
            cache_write_1h=200,
            cache_read=10,
        ),
        Rates(
            above=100_000,
            prompt=500,
            answer=2_500,
            cache_write_5m=625,
            cache_write_1h=1_000,
            cache_read=50,
        ),
    ),
}


def worst_case(request: Mapping[str, Any]) -> int:
    """Return the most micro-dollars that a text request can cost: the hold.

    Raises:
        UnknownPriceError: the model has no price here.
    """
    whole = _bytes_of(request)
    messages = _bytes_of(request.get("messages", []))
    # What stands before the messages may be written to the cache, at the dearest rate.
    cached = whole if "cache_control" in canonical_json(request["messages"]) else whole - messages
    return _bound(
        str(request.get("model", "")),
        cached=cached + _VENDOR_TOKENS,
        uncached=whole - cached,
        answer=int(request["max_tokens"]),
    )


def worst_of_bytes(model: str, *, prompt_bytes: int, max_tokens: int) -> int:
    """Return the most micro-dollars that any text request within these bounds can cost."""
    return _bound(model, cached=prompt_bytes + _VENDOR_TOKENS, uncached=0, answer=max_tokens)


def estimate(model: str, *, prompt_bytes: int, max_tokens: int) -> Estimate:
    """Return what one text call with a prompt of so many bytes is expected to cost, and the most.

    Expected is English prose at four bytes a token, nothing cached, one article as the answer.
    """
    tokens = prompt_bytes // _BYTES_A_TOKEN
    rates = _rates(model, tokens)
    expected = _micros(tokens * rates.prompt)
    expected += _micros(min(max_tokens, _EXPECTED_OUTPUT) * rates.answer)
    worst = worst_of_bytes(model, prompt_bytes=prompt_bytes, max_tokens=max_tokens)
    return Estimate(expected_micros=min(expected, worst), worst_micros=worst)


def cost_of(model: str, usage: Mapping[str, Any]) -> int | None:
    """Return the micro-dollars of a text call by the vendor's usage; None if it cannot be read."""
    names = (
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    )
    counts = {name: usage.get(name) or 0 for name in names}
    split = usage.get("cache_creation") or {}
    written_5m = split.get("ephemeral_5m_input_tokens") or 0 if isinstance(split, dict) else 0
    numbers = [*counts.values(), written_5m]
    numbers += [usage.get("input_tokens"), usage.get("output_tokens")]  # these may not be null
    if not all(map(_is_count, numbers)):
        return None
    uncached, answer, read, written = counts.values()
    written_5m = min(written_5m, written)
    rates = _rates(model, uncached + read + written)
    return sum(
        map(
            _micros,
            (
                uncached * rates.prompt,
                answer * rates.answer,
                read * rates.cache_read,
                written_5m * rates.cache_write_5m,
                (written - written_5m) * rates.cache_write_1h,
            ),
        )
    )


def _bound(model: str, *, cached: int, uncached: int, answer: int) -> int:
    rates = _rates(model, cached + uncached)
    dearest = max(rates.prompt, rates.cache_write_5m, rates.cache_write_1h, rates.cache_read)
    return (
        _micros(cached * dearest)
        + _micros(uncached * rates.prompt)
        + _micros(answer * rates.answer)
        + 5  # a bill has five parts, each rounded up
    )


def _rates(model: str, prompt_tokens: int) -> Rates:
    tiers = PRICES.get(model)
    if tiers is None:
        known = ", ".join(sorted(PRICES))
        raise UnknownPriceError(
            f"the model {model!r} has no price, so nothing may be sent to it; use one of {known}"
        )
    return [tier for tier in tiers if tier.above == 0 or prompt_tokens > tier.above][-1]


def _bytes_of(value: object) -> int:
    # A lone surrogate is sent as an escape of six bytes.
    return len(canonical_json(value).encode(errors="backslashreplace"))


def _micros(nanos: int) -> int:
    return -(-nanos // 1_000)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
