"""Edits of prices: the next version follows the last, and nothing is overwritten."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from publishing.ledger.prices import cost_of, worst_of_bytes
from publishing.ledger.repricing import (
    NewPrice,
    PriceChangedError,
    PriceError,
    PriceOverlapError,
    StrangePriceError,
    WrongPriceError,
    end_price,
    save_price,
)
from publishing.ledger.tariffs import forget_prices, read_tariff
from publishing.models import Price
from tests.publishing.paying import MODEL, at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("prices")]
RATES = {"prompt": 3_000, "answer": 12_000, "cache_write_5m": 3_000, "cache_write_1h": 5_000}


def rates_for(**fields: Any) -> NewPrice:
    given: dict[str, Any] = {
        "kind": "text", "model": MODEL, "rates": RATES, "author": "olga", "source": "the page",
        "seen": 1, "batch_percent": 50,
    }  # fmt: skip
    return NewPrice(**(given | fields))


def rows(model: str = MODEL) -> list[Price]:
    return list(Price.objects.filter(model=model).order_by("version"))


def test_the_old_row_ends_in_the_moment_in_which_the_next_begins() -> None:
    before = rows()[0]
    saved = save_price(rates_for())
    old, new = rows()
    assert new == saved
    assert old.valid_until == new.valid_from
    assert (new.version, new.prompt, new.author, new.source) == (2, 3_000, "olga", "the page")
    assert (old.prompt, old.source, old.valid_from) == (
        before.prompt, before.source, before.valid_from,
    )  # fmt: skip
    forget_prices()
    assert read_tariff(MODEL).version == "v2"


def test_of_eight_who_save_at_once_one_does_and_the_others_are_told_to_look_again() -> None:
    answers = at_once(8, lambda number: save_price(rates_for(author=f"a{number}")))
    assert sum(isinstance(each, Price) for each in answers) == 1
    refused = [each for each in answers if not isinstance(each, Price)]
    assert all(isinstance(each, PriceChangedError) for each in refused)
    assert [row.version for row in rows()] == [1, 2]


def test_of_eight_who_add_a_first_price_at_once_one_does() -> None:
    answers = at_once(8, lambda _: save_price(rates_for(model="claude-new", seen=None)))
    assert sum(isinstance(each, Price) for each in answers) == 1
    assert sum(isinstance(each, PriceChangedError) for each in answers) == 7
    assert [row.version for row in rows("claude-new")] == [1]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"seen": 7}, PriceChangedError),
        ({"seen": None}, PriceChangedError),
        ({"valid_from": datetime(2026, 11, 1, tzinfo=UTC)}, PriceOverlapError),
        ({"rates": RATES | {"cache_read": -1}}, WrongPriceError),
        ({"rates": {"prompt": 3_000}}, WrongPriceError),
        ({"rates": RATES | {"colour": 1}}, WrongPriceError),
        ({"rates": RATES | {"answer": 12_000_000}}, StrangePriceError),
        ({"rates": RATES | {"prompt": 3}}, StrangePriceError),
        ({"author": " "}, WrongPriceError),
        ({"source": ""}, WrongPriceError),
        ({"batch_percent": 0}, WrongPriceError),
        ({"kind": "embedding"}, WrongPriceError),
        ({"kind": "colour"}, WrongPriceError),
        ({"size": "1024x1024"}, WrongPriceError),
        ({"model": "claude-new", "seen": None, "above": 5}, WrongPriceError),
    ],
)
def test_what_cannot_be_a_price_is_refused_and_changes_nothing(
    fields: dict[str, Any], error: type[PriceError]
) -> None:
    before = list(Price.objects.order_by("pk").values())
    with pytest.raises(error):
        save_price(rates_for(**fields))
    assert list(Price.objects.order_by("pk").values()) == before


def test_a_strange_rate_is_saved_once_it_is_confirmed() -> None:
    strange = RATES | {"answer": 12_000_000}
    with pytest.raises(StrangePriceError, match=r"answer is 1,200 times its last rate"):
        save_price(rates_for(rates=strange))
    assert save_price(rates_for(rates=strange, is_confirmed=True)).answer == 12_000_000


def test_a_price_ordered_for_tomorrow_leaves_todays_until_then() -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    save_price(rates_for(valid_from=tomorrow))
    assert [row.valid_until for row in rows()] == [tomorrow, None]
    forget_prices()
    assert read_tariff(MODEL).version == "v1"
    assert read_tariff(MODEL, at=tomorrow).version == "v2"

    with pytest.raises(PriceOverlapError, match="end that one first"):
        save_price(rates_for(seen=2))
    end_price(rows()[1])
    with pytest.raises(PriceOverlapError, match="holds until"):
        save_price(rates_for(seen=None))
    assert [row.valid_until for row in rows()] == [tomorrow, tomorrow]
    assert save_price(rates_for(seen=None, valid_from=tomorrow)).version == 3


def test_an_ended_price_is_refused_keeps_its_row_and_still_bills_what_it_held() -> None:
    held = datetime.now(UTC)
    end_price(rows()[0])
    forget_prices()
    with pytest.raises(PriceError):
        end_price(rows()[0])
    with pytest.raises(Exception, match="has no price"):
        worst_of_bytes(MODEL, prompt_bytes=1, max_tokens=1)
    usage = {"input_tokens": 1_000, "output_tokens": 0}
    assert cost_of(MODEL, usage, tariff=read_tariff(MODEL, at=held)) == 2_000
    assert save_price(rates_for(seen=None)).version == 2
    assert worst_of_bytes(MODEL, prompt_bytes=1, max_tokens=1) > 0
