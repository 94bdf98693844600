"""Prices: each part of a bill by its own rate, and a hold that covers any bill."""

from typing import Any

import pytest

from publishing.ledger.prices import cost_of, estimate, worst_case
from tests.publishing.paying import MODEL

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("prices")]


def usage(**counts: int) -> dict[str, Any]:
    written_1h = counts.pop("written_1h", 0)
    written_5m = counts.pop("written_5m", 0)
    return {
        "input_tokens": counts.get("prompt", 0),
        "output_tokens": counts.get("answer", 0),
        "cache_read_input_tokens": counts.get("read", 0),
        "cache_creation_input_tokens": written_1h + written_5m,
        "cache_creation": {
            "ephemeral_1h_input_tokens": written_1h,
            "ephemeral_5m_input_tokens": written_5m,
        },
    }


@pytest.mark.parametrize(
    ("model", "counts", "micros"),
    [
        (MODEL, {"prompt": 1_000, "answer": 1_000}, 2_000 + 10_000),
        (MODEL, {"read": 1_000, "written_5m": 1_000, "written_1h": 1_000}, 100 + 2_500 + 4_000),
        (MODEL, {"prompt": 1, "answer": 1, "read": 1, "written_5m": 1}, 2 + 10 + 1 + 3),
        ("claude-haiku-5-5", {"prompt": 100_000, "answer": 1_000}, 10_000 + 500),
        ("claude-haiku-5-5", {"prompt": 100_001, "answer": 1_000}, 50_001 + 2_500),
        ("claude-haiku-5-5", {"prompt": 1, "read": 100_000}, 1 + 5_000),
    ],
)
def test_each_part_of_a_bill_has_its_own_rate_and_is_rounded_up(
    model: str, counts: dict[str, int], micros: int
) -> None:
    assert cost_of(model, usage(**counts)) == micros


def test_the_hold_covers_a_prompt_of_one_token_a_byte_written_to_the_cache() -> None:
    request = {
        "model": MODEL,
        "max_tokens": 700,
        "system": [{"type": "text", "text": "é" * 500, "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "x" * 3_000}],
    }
    bill = usage(written_1h=1_000 + 2_000, prompt=3_000, answer=700)
    cost = cost_of(MODEL, bill)
    assert cost is not None
    assert cost <= worst_case(request) < 1.2 * cost


def test_an_estimate_lies_below_the_worst_case() -> None:
    expected = estimate(MODEL, prompt_bytes=40_000, max_tokens=8_000)
    assert (expected.expected_micros, expected.worst_micros) == (45_000, 248_005)
