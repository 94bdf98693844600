"""Articles, caps and calls in the admin."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from lanes.models import Lane
from publishing.intake.texts import text_digest
from publishing.models import Article, Brief, Call, Cap, Text
from publishing.payloads import Brief as Payload
from tests.publishing.admin.conftest import errored, person, signed_in
from workflows.models import LogEntry, Reason, Status

pytestmark = pytest.mark.django_db
ARTICLES = "/admin/publishing/article/"
SENT = {"brief_id": "a", "lane": "trial", "title": "A", "summary": "On A."}


@pytest.fixture
def article(lane: Lane) -> Article:
    assert lane.bundle is not None
    brief = Brief.objects.create(
        brief_id="a", lane=lane, instance=errored("a"), bundle=lane.bundle, payload=SENT
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
    act(client, article, "withdraw_selected", confirmed="yes", why="wrong")
    assert status_of(article) == "withdrawn"
    act(client, article, "put_back_selected", confirmed="yes", why="right")
    assert status_of(article) == "live"
    logged = LogEntry.objects.filter(instance=article.brief.instance).order_by("pk")
    assert list(logged.values_list("kind", "actor", "why"))[-2:] == [
        ("withdrawn", "edna", "wrong"),
        ("put back", "edna", "right"),
    ]


def test_an_article_whose_text_another_brief_has_published_is_not_put_back(
    article: Article, lane: Lane
) -> None:
    other = Brief.objects.create(
        brief_id="b", lane=lane, instance=errored("b"), bundle=article.brief.bundle, payload=SENT
    )
    Article.objects.create(brief=other, lane=lane, slug="b", status="live")
    Text.objects.create(brief=other, digest=text_digest(Payload.model_validate(SENT)))
    Article.objects.filter(pk=article.pk).update(status="withdrawn")
    client = signed_in(person("edna", "publishing.change_article"))

    answer = act(client, article, "put_back_selected", confirmed="yes")
    assert "the text of a belongs to another brief now" in answer.content.decode()
    assert status_of(article) == "withdrawn"
    assert not LogEntry.objects.filter(kind="put back").exists()


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
    Cap.objects.all().delete()
    client.post(address, {"scope": "day", "dollars": "12.345678"})
    assert Cap.objects.get(scope="day", name="").cap_micros == 12_345_678


@pytest.mark.parametrize("scope", Cap.Scope.values)
def test_a_scope_has_one_cap_for_all(scope: str, caps: dict[str, Cap]) -> None:
    before = list(Cap.objects.order_by("pk").values())
    client = signed_in(person("olga", "publishing.add_cap", "publishing.change_cap"))
    answer = client.post("/admin/publishing/cap/add/", {"scope": scope, "dollars": "1"})
    assert answer.status_code == 200
    assert list(Cap.objects.order_by("pk").values()) == before


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


def test_the_desk_says_what_is_waited_for_how_many_do_and_when_it_resets(operator: Client) -> None:
    resets = "2031-01-01T00:00:00+00:00"
    asks = {"asked_micros": 5, "resets_at": resets}
    for key, reason, data in (
        ("a", Reason.BUDGET, asks | {"cap": "day"}),
        ("b", Reason.BUDGET, asks | {"cap": "day"}),
        ("c", Reason.BUDGET, asks | {"cap": "lane-day"}),
        ("d", Reason.BUDGET, {"cap": "brief", "resets_at": None}),
        ("e", Reason.OPERATOR, {"model": "m", "call": 1}),
        ("f", Reason.OPERATOR, {"call": 1, "request_hash": "x"}),
        ("g", Reason.OPERATOR, {"lost_sends": 3}),
    ):
        error = {"type": "Park", "message": "x", "data": data}
        errored(key, status=Status.WAITING, reason=reason, error=error, finished_at=None)
    reset = datetime(2031, 1, 1, tzinfo=UTC)
    found = operator.get("/admin/").context["board"].waits
    assert [(each.what, each.number, each.resets_at) for each in found] == [
        ("today’s cap on everything", 2, reset),
        ("the cap of its brief", 1, None),
        ("today’s cap of the lane p", 1, reset),
        ("an answer that is paid for another request: use it, or regenerate", 1, None),
        ("answers that were lost three times: regenerate, or retry", 1, None),
        ("m, which is blocked: correct its price, and clear it", 1, None),
    ]
