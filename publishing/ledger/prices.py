"""What texts cost, by the rows of `Price`: the most before a call, the real cost after it.

Rates are nano-dollars a token; money is whole micro-dollars, each part of a bill rounded up. A
caller that bounds and bills one call reads its tariff once, so that both go by the same rates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from publishing.ledger.keys import canonical_json
from publishing.ledger.tariffs import Tariff, read_tariff
from publishing.ledger.tokens import is_count
from publishing.models import Price

# A byte-level tokenizer makes no more tokens than there are bytes; the vendor adds some.
_VENDOR_TOKENS = 2_000
_BYTES_A_TOKEN = 4  # of English prose, about; only to say what is expected
_EXPECTED_OUTPUT = 2_500  # tokens of an article of 650 to 900 words with its JSON


@dataclass(frozen=True)
class Estimate:
    """What a call is expected to cost, and the most that it can."""

    expected_micros: int
    worst_micros: int


def tariff_of(request: Mapping[str, Any]) -> Tariff:
    """Return the rates that a text request is bounded and billed by.

    Raises:
        UnknownPriceError: the model has no price that holds now.
    """
    return read_tariff(str(request.get("model", "")))


def worst_case(
    request: Mapping[str, Any], *, tariff: Tariff | None = None, is_batch: bool = False
) -> int:
    """Return the most micro-dollars that a text request can cost: the hold.

    Raises:
        UnknownPriceError: the model has no price that holds now.
    """
    whole = _bytes_of(request)
    messages = _bytes_of(request.get("messages", []))
    # What stands before the messages may be written to the cache, at the dearest rate.
    cached = whole if "cache_control" in canonical_json(request["messages"]) else whole - messages
    return _bound(
        tariff or tariff_of(request),
        cached=cached + _VENDOR_TOKENS,
        uncached=whole - cached,
        answer=int(request["max_tokens"]),
        is_batch=is_batch,
    )


def worst_of_bytes(
    model: str, *, prompt_bytes: int, max_tokens: int, is_batch: bool = False
) -> int:
    """Return the most micro-dollars that any text request within these bounds can cost.

    Raises:
        UnknownPriceError: the model has no price that holds now.
    """
    return _bound(
        read_tariff(model),
        cached=prompt_bytes + _VENDOR_TOKENS,
        uncached=0,
        answer=max_tokens,
        is_batch=is_batch,
    )


def expected_tokens(prompt_bytes: int) -> int:
    """Return about how many tokens a prompt of English prose comes to."""
    return prompt_bytes // _BYTES_A_TOKEN


def estimate(model: str, *, prompt_bytes: int, max_tokens: int, is_batch: bool = False) -> Estimate:
    """Return what one text call with a prompt of so many bytes is expected to cost, and the most.

    Expected is English prose at four bytes a token, nothing cached, one article as the answer.

    Raises:
        UnknownPriceError: the model has no price that holds now.
    """
    tokens = expected_tokens(prompt_bytes)
    rates = read_tariff(model).tier(tokens)
    percent = _percent(rates, is_batch=is_batch)
    expected = _micros(tokens * rates.prompt, percent)
    expected += _micros(min(max_tokens, _EXPECTED_OUTPUT) * rates.answer, percent)
    worst = worst_of_bytes(
        model, prompt_bytes=prompt_bytes, max_tokens=max_tokens, is_batch=is_batch
    )
    return Estimate(expected_micros=min(expected, worst), worst_micros=worst)


def cost_of(
    model: str,
    usage: Mapping[str, Any],
    *,
    tariff: Tariff | None = None,
    is_batch: bool = False,
) -> int | None:
    """Return the micro-dollars of a text call by the vendor's usage; None if it cannot be read.

    Raises:
        UnknownPriceError: no tariff was given, and the model has no price that holds now.
    """
    counts = _read_counts(usage)
    if counts is None:
        return None
    uncached, answer, read, written, written_5m = counts
    rates = (tariff or read_tariff(model)).tier(uncached + read + written)
    parts = (
        uncached * rates.prompt,
        answer * rates.answer,
        read * rates.cache_read,
        written_5m * rates.cache_write_5m,
        (written - written_5m) * rates.cache_write_1h,
    )
    percent = _percent(rates, is_batch=is_batch)
    return sum(_micros(part, percent) for part in parts)


def _read_counts(usage: Mapping[str, Any]) -> tuple[int, int, int, int, int] | None:
    """Return tokens uncached, answered, read, written, and of those for 5 minutes."""
    names = ("cache_read_input_tokens", "cache_creation_input_tokens")
    read, written = (usage.get(name) or 0 for name in names)
    split = usage.get("cache_creation") or {}
    written_5m = split.get("ephemeral_5m_input_tokens") or 0 if isinstance(split, dict) else 0
    # Of these two nothing may be missing: without them there is no bill to read.
    counts = (usage.get("input_tokens"), usage.get("output_tokens"), read, written, written_5m)
    if not all(map(is_count, counts)):
        return None
    uncached, answer = int(usage["input_tokens"]), int(usage["output_tokens"])
    return uncached, answer, read, written, min(written_5m, written)


def _bound(tariff: Tariff, *, cached: int, uncached: int, answer: int, is_batch: bool) -> int:
    """Return the dearest bill; a shorter prompt may fall into a tier that costs more."""
    return max(
        _bound_of(
            rates,
            cached=cached,
            uncached=uncached,
            answer=answer,
            percent=_percent(rates, is_batch=is_batch),
        )
        for rates in tariff.reachable(cached + uncached)
    )


def _bound_of(rates: Price, *, cached: int, uncached: int, answer: int, percent: int) -> int:
    dearest = max(rates.prompt, rates.cache_write_5m, rates.cache_write_1h, rates.cache_read)
    return (
        _micros(cached * dearest, percent)
        + _micros(uncached * rates.prompt, percent)
        + _micros(answer * rates.answer, percent)
        + 5  # a bill has five parts, each rounded up
    )


def _percent(rates: Price, *, is_batch: bool) -> int:
    return rates.batch_percent if is_batch else 100


def _bytes_of(value: object) -> int:
    # A lone surrogate is sent as an escape of six bytes.
    return len(canonical_json(value).encode(errors="backslashreplace"))


def _micros(nanos: int, percent: int = 100) -> int:
    return -(-nanos * percent // 100_000)
