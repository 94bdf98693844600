"""Lanes in Chromium: pages that anyone can read, and edits that the next brief is run with."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings

from lanes.models import Lane
from lanes.spine import SPINE
from lanes.versions import save_graph
from publishing.models import Article, Brief
from publishing.previews import preview_request
from tests.flows.lane_house import lived_in
from tests.flows.test_admin_in_a_browser import LOOKS, faults_of, signed_in
from tests.flows.test_one_brief import ARTICLE, House, house, is_live
from tests.lanes.broken_graphs import research
from tests.publishing.admin.conftest import lane
from tests.publishing.anthropic_server import Exchange, message
from tests.publishing.conftest import caps, prices
from tests.workflows.conftest import wait_until
from workflows.models import StepRecord

__all__ = ["caps", "house", "lane", "prices"]  # the fixtures

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.needs("chromium")]

NOTE = {"text": "It is fair.", "flags": []}


@pytest.fixture
def pages(lane: Lane, caps: Any) -> dict[str, str]:
    """Return the addresses of a lane's pages, with something on each."""
    made = lived_in(lane)
    brief = {"brief_id": "b", "lane": "trial", "title": "A size", "summary": "Of type."}
    Brief.objects.update(payload=brief)
    return made


@pytest.fixture
def answering(house: House, settings: Settings) -> House:
    """The house, whose model answers each request by the schema that it brings.

    Its admin is the running product's, which knows no password of the tests' quick hasher.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]

    def answer(exchange: Exchange) -> None:
        asked = exchange.body["output_config"]["format"]["schema"]["properties"]
        exchange.reply(200, message(NOTE if asked.keys() == NOTE.keys() else ARTICLE))

    house.model.script = answer
    return house


def compose_second_look(page: Page, lane: Lane) -> None:
    """Add a prompt step to the lane's entries, before clean; nothing is saved yet."""
    page.goto(f"/admin/lanes/lane/{lane.pk}/graph/")
    page.get_by_label("What").select_option("prompt")
    page.get_by_role("button", name="Show its options").click()
    page.get_by_label("Where").select_option(label="before clean")
    page.get_by_label("Name").fill("fairness")
    page.get_by_label("template").fill("Is {{ draft.body }} fair?")
    page.get_by_role("button", name="Add it to the entries").click()
    expect(page.locator("svg.graph")).to_contain_text("fairness")


def test_every_page_of_a_lane_is_accessible_wide_enough_and_true_to_its_policy(
    live_server: Any, chromium_path: str, pages: dict[str, str]
) -> None:
    with signed_in(chromium_path, live_server.url) as page:
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        for name, address in pages.items():
            page.goto(address)
            for width, scheme in LOOKS:
                found = faults_of(page, width, scheme)
                assert (name, width, scheme, found) == (name, width, scheme, [])
        assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_refused_graph_is_as_readable_as_a_saved_one(
    live_server: Any, chromium_path: str, lane: Lane, prices: Any, scheme: str
) -> None:
    with signed_in(chromium_path, live_server.url) as page:
        compose_second_look(page, lane)
        page.get_by_role("button", name="Use from now on").click()
        expect(page.locator("#fault")).to_contain_text("Distance 1: use this option")
        assert faults_of(page, 390, scheme) == []
        page.get_by_label("Entries, as JSON").fill('[{"step": "clean"}]')
        page.get_by_role("button", name="Check").click()
        expect(page.locator("#fault")).to_contain_text("graph.entries[0].draft")
        expect(page.locator("svg.graph")).to_contain_text("does not fit")
        assert faults_of(page, 390, scheme) == []


def test_a_step_that_is_added_in_the_browser_is_run_by_the_next_brief_without_a_restart(
    answering: House, chromium_path: str
) -> None:
    news, other = Lane.objects.get(name="news"), Lane.objects.get(name="research")
    save_graph(other, research())
    with signed_in(chromium_path, answering.address, java_script_enabled=False) as page:
        compose_second_look(page, news)
        page.get_by_role("button", name="Use from now on").click()
        told = page.locator("#fault")
        expect(told).to_contain_text("Distance 1: use this option, or give a reason.")
        page.get_by_label("Reason for a graph of its own").fill("Editors weigh it themselves.")
        page.get_by_role("button", name="Use from now on").click()
        expect(page.locator(".messagelist")).to_contain_text("Graph 1 is used for briefs from now")

        compose_second_look(page, other)
        expect(page.get_by_label("Reason for a graph of its own")).to_have_count(0)
        page.get_by_role("button", name="Use from now on").click()
        expect(page.locator(".messagelist")).to_contain_text("is used for briefs from now on")
        answering.post(answering.brief())
    wait_until(lambda: is_live("publish-lighthouse"), seconds=60)

    record = StepRecord.objects.get(entry="fairness", superseded=False)
    assert record.output == NOTE
    asked = [exchange.body["max_tokens"] for exchange in answering.model.requests]
    assert asked == [8_000, 2_000]
    assert Lane.objects.get(name="dev").graph is None
    brief, news = Brief.objects.get(), Lane.objects.get(name="news")
    assert news.bundle is not None
    sent = preview_request(news, brief, news.bundle)
    assert sent.is_grounded
    assert sent.body == answering.model.requests[0].raw


def test_a_lane_that_is_made_in_the_browser_takes_a_brief_and_its_article_appears(
    answering: House, chromium_path: str
) -> None:
    news = Lane.objects.get(name="news")
    with signed_in(chromium_path, answering.address, java_script_enabled=False) as page:
        page.goto(f"/admin/lanes/lane/{news.pk}/page/")
        page.get_by_role("link", name="Add a lane from it").click()
        page.get_by_label("Name").fill("harbour")
        page.get_by_label("Title").fill("Harbour")
        page.get_by_label("keeper").check()
        page.get_by_role("button", name="Add the lane").click()
        expect(page.locator(".messagelist")).to_contain_text("Harbour takes briefs from now on.")
        expect(page.locator("#content")).to_contain_text("Copied from news: bundle 1.")
        assert answering.post(answering.brief(lane="harbour")).status_code == 202
    wait_until(lambda: is_live("publish-lighthouse"), seconds=60)

    article = Article.objects.select_related("revision__bundle__lane").get()
    assert article.revision is not None
    assert (article.status, article.revision.bundle.lane.name) == ("live", "harbour")
    assert answering.get(article.get_absolute_url()).status_code == 200
    run = Brief.objects.get().instance.graph.entries
    assert [entry["step"] for entry in run if "step" in entry] == [
        entry["step"] for entry in SPINE if "step" in entry
    ]


def test_a_bundle_is_drafted_previewed_used_and_rolled_back_by_clicks(
    live_server: Any, chromium_path: str, lane: Lane, pages: dict[str, str]
) -> None:
    with signed_in(chromium_path, live_server.url, java_script_enabled=False) as page:
        page.goto(pages["form"])
        page.get_by_label("Voice").fill("Wry.")
        page.get_by_role("button", name="Save as draft").click()
        expect(page.locator(".messagelist")).to_contain_text("Bundle 4: kept as a draft")
        page.get_by_role("link", name="version 4").click()
        page.get_by_role("link", name="Preview a request").click()
        expect(page.locator("pre.json")).to_contain_text("Wry.")
        page.go_back()
        page.get_by_role("button", name="Use from now on").click()
        expect(page.locator(".messagelist")).to_contain_text("Bundle 4 is used")
        page.get_by_role("link", name="version 2").click()
        page.get_by_role("link", name="Compare with what is in use").click()
        expect(page.locator("del").first).to_have_text("Wry")
        page.go_back()
        page.get_by_role("button", name="Roll back").click()
        expect(page.locator(".messagelist")).to_contain_text("says what version 2 said")
    lane = Lane.objects.get(pk=lane.pk)
    assert lane.bundle is not None
    assert (lane.bundle.version, lane.bundle.voice) == (5, "Plain and dry.\nShort sentences.")
