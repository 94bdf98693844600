"""Prices as rows: what holds now, what is refused, and how soon an edit acts."""

from datetime import UTC, datetime, timedelta

import pytest

from publishing.ledger import tariffs
from publishing.ledger.errors import UnknownPriceError
from publishing.ledger.prices import cost_of, estimate, worst_case, worst_of_bytes
from publishing.ledger.tariffs import read_tariff
from publishing.models import Price
from tests.publishing.paying import HOLD, MODEL, call_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("prices")]
HAIKU = "claude-haiku-5-5"
FLUX = "@cf/black-forest-labs/flux-1-schnell"
USAGE = {"input_tokens": 1_000, "output_tokens": 1_000}


def reprice(model: str, *, at: datetime, **rates: int) -> None:
    row = Price.objects.get(model=model, valid_until=None, above=0)
    Price.objects.filter(pk=row.pk).update(valid_until=at)
    row.pk, row.version, row.valid_from = None, row.version + 1, at
    for name, rate in rates.items():
        setattr(row, name, rate)
    row.save(force_insert=True)


def test_the_calls_of_these_tests_hold_what_they_are_said_to() -> None:
    assert worst_case(call_for().request) == HOLD


def test_rows_are_read_once_while_they_are_fresh(django_assert_num_queries) -> None:
    with django_assert_num_queries(1):
        assert [cost_of(MODEL, USAGE) for _ in range(50)] == [12_000] * 50
        assert worst_of_bytes(HAIKU, prompt_bytes=10, max_tokens=1) > 0


def test_an_edit_acts_once_the_rows_are_two_seconds_old(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cost_of(MODEL, USAGE) == 12_000
    reprice(MODEL, at=datetime.now(UTC) - timedelta(seconds=1), answer=20_000)
    assert tariffs.LIFETIME_SECONDS == 2
    monkeypatch.setattr(tariffs._Cache, "stale_at", 0.0)
    assert (cost_of(MODEL, USAGE), read_tariff(MODEL).version) == (22_000, "v2")


def test_a_price_of_tomorrow_does_not_hold_today() -> None:
    reprice(MODEL, at=datetime.now(UTC) + timedelta(days=1), answer=20_000)
    assert (cost_of(MODEL, USAGE), read_tariff(MODEL).version) == (12_000, "v1")


def test_a_call_is_billed_by_the_rates_that_it_was_held_by() -> None:
    held = datetime.now(UTC) - timedelta(hours=1)
    before = read_tariff(MODEL)
    reprice(MODEL, at=datetime.now(UTC) - timedelta(minutes=1), answer=20_000)
    tariffs.forget_prices()
    assert cost_of(MODEL, USAGE, tariff=before) == 12_000
    assert cost_of(MODEL, USAGE, tariff=read_tariff(MODEL, at=held)) == 12_000
    assert cost_of(MODEL, USAGE) == 22_000


def test_a_model_whose_price_has_ended_is_refused_and_the_others_are_named() -> None:
    Price.objects.filter(model=MODEL).update(valid_until=datetime.now(UTC))
    with pytest.raises(UnknownPriceError, match=rf"{MODEL}.*nothing may be sent.*{HAIKU}"):
        worst_case(call_for().request)
    with pytest.raises(UnknownPriceError):
        estimate(MODEL, prompt_bytes=1, max_tokens=1)


def test_a_price_that_was_added_acts_at_once_on_a_model_that_had_none() -> None:
    with pytest.raises(UnknownPriceError):
        read_tariff("claude-new")
    source, since = "test", datetime(2026, 1, 1, tzinfo=UTC)
    Price.objects.create(
        kind="text", model="claude-new", version=1, prompt=1, answer=1, source=source,
        valid_from=since,
    )  # fmt: skip
    assert read_tariff("claude-new").version == "v1"


def test_an_image_of_another_size_or_quality_is_refused_and_those_with_a_price_are_named() -> None:
    with pytest.raises(UnknownPriceError, match=r"of 512x512, 4 steps.*1024x1024, 4 steps"):
        read_tariff(FLUX, kind="image", size="512x512", quality="4 steps")
    assert read_tariff(FLUX, kind="image", size="1024x1024", quality="4 steps").version == "v1"


def test_no_kind_takes_the_price_of_another() -> None:
    with pytest.raises(UnknownPriceError):
        read_tariff("voyage-4-lite")
    assert read_tariff("voyage-4-lite", kind="embedding").tiers[0].prompt == 20


def test_below_a_tier_that_has_no_lower_one_nothing_is_sent() -> None:
    Price.objects.filter(model=HAIKU, above=0).update(valid_until=datetime.now(UTC))
    with pytest.raises(UnknownPriceError, match="only above 100000 tokens"):
        worst_of_bytes(HAIKU, prompt_bytes=10, max_tokens=10)
    assert read_tariff(HAIKU).version == "v1"


def test_the_hold_covers_a_cheaper_high_tier_too() -> None:
    Price.objects.filter(model=HAIKU, above=100_000).update(prompt=1, cache_write_1h=1, answer=1)
    tariffs.forget_prices()
    hold = worst_of_bytes(HAIKU, prompt_bytes=200_000, max_tokens=1_000)
    assert hold >= (cost_of(HAIKU, {"input_tokens": 100_000, "output_tokens": 1_000}) or 0)


def test_a_batch_pays_its_part_of_hold_bill_and_estimate() -> None:
    request = call_for().request
    assert cost_of(MODEL, USAGE, is_batch=True) == 6_000
    assert worst_case(request, is_batch=True) == pytest.approx(HOLD / 2, abs=10)
    whole = estimate(MODEL, prompt_bytes=40_000, max_tokens=8_000)
    half = estimate(MODEL, prompt_bytes=40_000, max_tokens=8_000, is_batch=True)
    assert (whole.expected_micros, half.expected_micros) == (45_000, 22_500)


def test_the_version_names_that_of_each_tier() -> None:
    reprice(HAIKU, at=datetime.now(UTC) - timedelta(seconds=1), prompt=110)
    assert read_tariff(HAIKU).version == "v2+v1"
