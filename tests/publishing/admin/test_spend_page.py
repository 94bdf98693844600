"""The spend page: sums, caps, links to the calls behind them, and no inline style."""

import re
from html import unescape

import pytest
from django.test import Client

from lanes.models import Lane
from publishing.models import Bucket, Cap
from tests.publishing.admin.conftest import person, signed_in
from tests.publishing.spending import NOON, call_row

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("caps")]
PAGE = "/admin/publishing/call/spend/"
SPAN = {"since": "2026-11-01", "until": "2026-11-30"}


@pytest.fixture
def reader() -> Client:
    return signed_in(person("rita", "publishing.view_call"))


@pytest.fixture
def keeper() -> Client:
    return signed_in(
        person("kim", "publishing.add_cap", "publishing.change_cap", "publishing.delete_cap",
               "publishing.view_cap")
    )  # fmt: skip


def shown(client: Client, **query: str) -> str:
    return client.get(PAGE, SPAN | query).content.decode()


def test_each_sum_leads_to_the_calls_that_it_is_of(reader: Client) -> None:
    call_row("a", cost_micros=1_500, served=1)
    call_row("b", cost_micros=500, lane="trade", bundle=None)
    page = shown(reader)
    assert "<strong>$0.002</strong>" in page
    assert "would have cost $0.0015" in page
    links = {
        name: unescape(url)
        for url, name in re.findall(r'class="mono" href="([^"]+)">([^<]+)<', page)
    }
    assert links.keys() == {
        "news", "trade", "generate", "news v3", "trade without", "m", "2026-11-23", "a", "b",
    }  # fmt: skip
    for name, number in (("news", 1), ("trade without", 1), ("news v3", 1), ("generate", 2),
                         ("2026-11-23", 2), ("b", 1)):  # fmt: skip
        listed = reader.get(links[name])
        assert listed.status_code == 200
        assert listed.context["cl"].result_count == number, name


def test_the_page_needs_no_script_and_no_inline_style(reader: Client) -> None:
    Bucket.objects.create(
        key=f"day:{NOON:%F}", cap_micros=60_000_000, held_micros=1, spent_micros=30_000_000
    )
    call_row("<b>", buckets=[f"day:{NOON:%F}"])
    page = shown(reader)
    main = page[page.index('id="content"') :]
    assert "style=" not in main
    assert "onclick" not in main
    assert "&lt;b&gt;" in main


def test_what_cannot_be_read_is_said_and_the_caps_stay(reader: Client) -> None:
    page = shown(reader, since="soon")
    assert "give a day or a moment" in page
    assert "Everything, today" in page


def test_who_may_not_see_calls_sees_no_sums() -> None:
    assert signed_in(person("nora")).get(PAGE).status_code == 403


def test_a_lane_gets_a_lower_cap_of_its_own_and_no_higher_one(keeper: Client) -> None:
    Lane.objects.create(name="news", title="News", hue=25)
    order = {"scope": "lane-day", "name": "news", "dollars": "50"}
    assert "may only be lower" in keeper.post("/admin/publishing/cap/add/", order).content.decode()
    assert not Cap.objects.filter(name="news").exists()
    keeper.post("/admin/publishing/cap/add/", order | {"dollars": "5"})
    own = Cap.objects.get(name="news")
    assert (own.scope, own.cap_micros) == ("lane-day", 5_000_000)

    general = Cap.objects.get(scope="day", name="")
    assert keeper.post(f"/admin/publishing/cap/{general.pk}/delete/").status_code == 403
    assert (
        keeper.post(f"/admin/publishing/cap/{own.pk}/delete/", {"post": "yes"}).status_code == 302
    )
    assert not Cap.objects.filter(name="news").exists()
