"""Articles, caps and calls in the admin."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from lanes.models import Lane
from publishing.models import Article, Brief, Call, Cap
from tests.publishing.admin.conftest import errored, person, signed_in

pytestmark = pytest.mark.django_db
ARTICLES = "/admin/publishing/article/"


@pytest.fixture
def article(lane: Lane) -> Article:
    assert lane.bundle is not None
    brief = Brief.objects.create(
        brief_id="a", lane=lane, instance=errored("a"), bundle=lane.bundle, payload={"title": "A"}
    )
    return Article.objects.create(brief=brief, lane=lane, slug="a", status="live")


def act(client: Client, article: Article, action: str, **more: Any) -> Any:
    data = {"action": action, "_selected_action": [article.pk], **more}
    return client.post(ARTICLES, data, follow=True)


def status_of(article: Article) -> str:
    return Article.objects.get(pk=article.pk).status


def test_an_article_is_withdrawn_after_a_page_that_says_so_and_put_back(article: Article) -> None:
    client = signed_in(person("edna", "publishing.change_article"))

    assert (
        "Their addresses answer 410" in act(client, article, "withdraw_selected").content.decode()
    )
    assert status_of(article) == "live"
    act(client, article, "withdraw_selected", confirmed="yes")
    assert status_of(article) == "withdrawn"
    act(client, article, "put_back_selected", confirmed="yes")
    assert status_of(article) == "live"


def test_a_draft_is_never_put_back(article: Article) -> None:
    Article.objects.update(status="draft")
    client = signed_in(person("edna", "publishing.change_article"))
    act(client, article, "put_back_selected", confirmed="yes")
    assert status_of(article) == "draft"


def test_who_may_only_look_withdraws_nothing(article: Article) -> None:
    client = signed_in(person("vera", "publishing.view_article"))
    assert client.get(f"{ARTICLES}{article.pk}/change/").status_code == 200
    act(client, article, "withdraw_selected", confirmed="yes")
    assert status_of(article) == "live"


def test_a_cap_is_edited_in_dollars_and_kept_in_micros() -> None:
    client = signed_in(person("olga", "publishing.add_cap", "publishing.change_cap"))
    address = "/admin/publishing/cap/add/"
    client.post(address, {"scope": "lane-day", "name": "news", "dollars": "12.345678"})
    assert Cap.objects.get(scope="lane-day", name="news").cap_micros == 12_345_678

    named = client.post(address, {"scope": "brief", "name": "news", "dollars": "1"})
    assert b"Only the cap of a lane&#x27;s day has a name." in named.content
    assert not Cap.objects.filter(scope="brief", name="news").exists()


def test_the_list_of_calls_adds_up_what_is_listed() -> None:
    now = timezone.now()
    for key, state, cost in (("a", "settled", 1_500), ("b", "unknown", None), ("c", "held", None)):
        Call.objects.create(
            key=key, request_hash="", state=state, brief_id=key, lane="l", entry="generate",
            model="m", buckets=[], held_micros=200_000, cost_micros=cost, price_version="1",
            lease_until=now, created_at=now,
        )  # fmt: skip
    client = signed_in(person("olga", "publishing.view_call"))

    shown = client.get("/admin/publishing/call/").content.decode()
    assert "cost <strong>$0.2015</strong>; open ones hold <strong>$0.20</strong>" in shown
    assert "$0.20 (answer lost)" in shown
    assert "Spent today" in client.get("/admin/").content.decode()
