"""The review desk: what waits, the article with its doubts, and a decision that is checked."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from publishing.models import Approval
from tests.publishing.admin.conftest import person, signed_in
from tests.publishing.reviewing import article_of, make_lane, revision_of, run, send
from workflows.models import Instance, Status
from workflows.verbs import restart

pytestmark = pytest.mark.django_db(transaction=True)
DESK = "/admin/publishing/review/"


@pytest.fixture(autouse=True)
def files(settings: Settings, tmp_path: Path) -> None:
    """Store covers in a folder of the test."""
    store = {
        "BACKEND": "publishing.providers.objects.ContentAddressedFileStorage",
        "OPTIONS": {"location": tmp_path, "base_url": "/media/"},
    }
    settings.STORAGES = settings.STORAGES | {"default": store}


@pytest.fixture
def waiting() -> Instance:
    """An instance whose article was flagged and waits."""
    instance = send(make_lane("flagged"), notes="A huge clock <b>strikes</b>.")
    run(instance)
    return instance


@pytest.fixture
def reviewer(db: None) -> Client:
    """The browser of somebody who may approve, and nothing else."""
    return signed_in(person("rita", "publishing.approve_article"))


def page_of(instance: Instance) -> str:
    return f"{DESK}{article_of(instance).pk}/change/"


def decide(client: Client, instance: Instance, verb: str, **more: Any) -> str:
    data = {"revision": revision_of(instance).pk, "note": "Read.", verb: "x"} | more
    return client.post(page_of(instance), data, follow=True).content.decode()


def test_the_desk_lists_what_waits_with_its_lane_and_reasons(
    reviewer: Client, waiting: Instance
) -> None:
    listed = reviewer.get(DESK).content.decode()

    assert f'<a href="{page_of(waiting)}">On b</a>' in listed
    assert "anti-pattern &#x27;Hype.&#x27;: &#x27;huge&#x27;. It tires." in listed
    assert "publish-b" in listed
    front = reviewer.get("/admin/").content.decode()
    assert 'Waiting for review <span class="count">1</span>' in front


def test_an_empty_desk_says_so(reviewer: Client) -> None:
    assert "0 waiting for review" in reviewer.get(DESK).content.decode()


def test_the_page_shows_the_article_and_its_doubts(reviewer: Client, waiting: Instance) -> None:
    shown = reviewer.get(page_of(waiting)).content.decode()

    assert "It tires." in shown
    assert "A huge clock &lt;b&gt;strikes&lt;/b&gt;." in shown
    assert "0 words" not in shown
    assert f'name="revision" value="{revision_of(waiting).pk}"' in shown


def test_the_whole_page_is_the_sites_own(reviewer: Client, waiting: Instance) -> None:
    answer = reviewer.get(f"{DESK}{article_of(waiting).pk}/as-readers/")
    assert answer.templates[0].name == "site/article.html"
    assert '<figure class="cover">' in answer.content.decode()
    assert Client().get(article_of(waiting).get_absolute_url()).status_code == 404


def test_approve_publishes_and_the_article_says_who_did(
    reviewer: Client, waiting: Instance
) -> None:
    said = decide(reviewer, waiting, "approve")
    assert "Approved: publish-b; it goes on to publish." in said
    run(waiting)

    assert article_of(waiting).status == "live"
    approval = Approval.objects.get()
    assert (approval.actor, approval.note) == ("rita", "Read.")
    vera = signed_in(person("vera", "publishing.view_article"))
    article = f"/admin/publishing/article/{article_of(waiting).pk}/change/"
    assert "rita, " in vera.get(article).content.decode()


def test_reject_ends_the_run(reviewer: Client, waiting: Instance) -> None:
    assert "say why" in decide(reviewer, waiting, "reject", note="")
    said = decide(reviewer, waiting, "reject", note="Untrue.")
    assert "Rejected: publish-b; nothing of it is published." in said

    waiting.refresh_from_db()
    assert (waiting.status, article_of(waiting).status) == (Status.TERMINATED, "draft")
    assert "It waits for no review now" in reviewer.get(page_of(waiting)).content.decode()


def test_a_page_that_is_stale_decides_nothing(reviewer: Client, waiting: Instance) -> None:
    stale = revision_of(waiting).pk
    restart("publish-b", actor="olga", generation=1, entry="persist")
    run(waiting)

    for verb in ("approve", "reject"):
        assert "open its page again" in decide(reviewer, waiting, verb, revision=stale)
    waiting.refresh_from_db()
    assert (waiting.status, Approval.objects.count()) == (Status.WAITING, 0)


@pytest.mark.parametrize("path", ["", "change", "as-readers"])
def test_nobody_else_sees_or_decides(waiting: Instance, path: str) -> None:
    client = signed_in(
        person("olga", "workflows.change_instance", "publishing.change_article",
               "publishing.view_article")
    )  # fmt: skip
    address = f"{DESK}{article_of(waiting).pk}/{path}/" if path else DESK
    assert client.get(address).status_code == 403
    data = {"revision": revision_of(waiting).pk, "approve": "x"}
    assert client.post(address, data).status_code == 403
    assert Approval.objects.count() == 0
    assert Client().get(address).status_code == 302


@pytest.mark.parametrize("key", ["0", "9" * 30, "x", "1%00"])
def test_a_review_that_there_is_not_is_not_found(reviewer: Client, key: str) -> None:
    assert reviewer.get(f"{DESK}{key}/change/").status_code == 404
