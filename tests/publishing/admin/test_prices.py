"""Prices in the admin: in dollars, versioned, with author and source, and never deleted."""

import re
from typing import Any

import pytest
from django.test import Client

from publishing.models import Price
from tests.publishing.admin.conftest import person, signed_in
from tests.publishing.paying import MODEL

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("prices")]
LIST = "/admin/publishing/price/"
TYPED = {
    "prompt": "3", "answer": "12.5", "cache_write_5m": "3.75", "cache_write_1h": "6",
    "cache_read": "0.3", "batch_percent": "50", "source": "the pricing page, today",
}  # fmt: skip


@pytest.fixture
def keeper() -> Client:
    return signed_in(person("kim", "publishing.view_price", "publishing.add_price"))


def price() -> Price:
    return Price.objects.get(model=MODEL, valid_until=None)


def send(client: Client, pk: int, **typed: Any) -> str:
    form = client.get(f"{LIST}{pk}/next/").content.decode()
    (seen,) = re.findall(r'name="seen" value="(\d+)"', form)
    answer = client.post(f"{LIST}{pk}/next/", TYPED | {"seen": seen} | typed, follow=True)
    return answer.content.decode()


def test_dollars_per_million_tokens_become_the_next_version(keeper: Client) -> None:
    first = price()
    page = send(keeper, first.pk)
    row = price()
    assert (row.version, row.prompt, row.answer, row.cache_write_5m) == (2, 3_000, 12_500, 3_750)
    assert (row.cache_read, row.author, row.source) == (300, "kim", TYPED["source"])
    first.refresh_from_db()
    assert (first.prompt, first.valid_until) == (2_000, row.valid_from)
    assert "version 2 is saved" in page
    assert "input 2 ·" in page
    assert "input 3 ·" in page


def test_the_form_begins_with_the_rates_that_hold(keeper: Client) -> None:
    form = keeper.get(f"{LIST}{price().pk}/next/").content.decode()
    assert re.search(r'name="cache_read" value="0.1"', form)
    assert re.search(r'name="answer" value="10"', form)
    flux = Price.objects.get(model__contains="flux")
    form = keeper.get(f"{LIST}{flux.pk}/next/").content.decode()
    assert re.search(r'name="image" value="0.000652"', form)


def test_who_saves_second_is_told_to_look_again(keeper: Client) -> None:
    first = price()
    send(keeper, first.pk)
    answer = keeper.post(f"{LIST}{first.pk}/next/", TYPED | {"seen": "1", "prompt": "4"})
    assert "changed by somebody else meanwhile" in answer.content.decode()
    assert (price().version, price().prompt) == (2, 3_000)


def test_a_strange_rate_is_asked_about_once_more(keeper: Client) -> None:
    page = send(keeper, price().pk, answer="12500")
    assert "1,250 times its last rate" in page
    assert 'name="confirmed"' in page
    assert price().version == 1
    send(keeper, price().pk, answer="12500", confirmed="on")
    assert price().answer == 12_500_000


@pytest.mark.parametrize("typed", [{"source": ""}, {"prompt": "-1"}, {"answer": "0.0001"},
                                   {"prompt": ""}, {"prompt": "1e400"}])  # fmt: skip
def test_a_form_that_is_wrong_saves_nothing(keeper: Client, typed: dict[str, str]) -> None:
    assert "errorlist" in send(keeper, price().pk, **typed)
    assert price().version == 1


def test_a_model_gets_its_first_price(keeper: Client) -> None:
    form = keeper.get(f"{LIST}add/?kind=image").content.decode()
    assert "dollars an image" in form
    keeper.post(
        f"{LIST}add/",
        {"kind": "image", "model": "pictor", "above": "0", "size": "1024x1024", "quality": "low",
         "image": "0.006", "batch_percent": "100", "source": "their page"},
    )  # fmt: skip
    made = Price.objects.get(model="pictor")
    assert (made.version, made.image, made.size, made.author) == (1, 6_000_000, "1024x1024", "kim")


def test_ending_a_price_is_asked_keeps_the_row_and_shows_that_calls_are_refused(
    keeper: Client,
) -> None:
    row = price()
    assert "is refused, in every lane" in keeper.get(f"{LIST}{row.pk}/end/").content.decode()
    assert price() == row
    page = keeper.post(f"{LIST}{row.pk}/end/", follow=True).content.decode()
    assert "calls to it are refused until one is added" in page
    assert Price.objects.get(pk=row.pk).valid_until is not None
    again = keeper.post(f"{LIST}{row.pk}/end/", follow=True).content.decode()
    assert "changed by somebody else" in again


@pytest.mark.parametrize("page", ["add/", "{pk}/next/", "{pk}/end/", "{pk}/delete/"])
def test_who_may_only_look_changes_nothing_and_nobody_deletes(page: str) -> None:
    client = signed_in(person("vera", "publishing.view_price", "publishing.delete_price"))
    before = list(Price.objects.order_by("pk").values())
    assert client.get(LIST).status_code == 200
    assert client.post(LIST + page.format(pk=price().pk), TYPED).status_code == 403
    assert list(Price.objects.order_by("pk").values()) == before
