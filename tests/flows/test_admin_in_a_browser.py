"""The admin in Chromium: accessible, wide enough, true to its CSP, and live while a run goes on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_core_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Page, expect, sync_playwright

from lanes.models import Lane
from lanes.versions import save_bundle, specs_of
from publishing.models import BlockedModel, Brief, Call, Regeneration, Routine
from tests.flows.test_pages_in_a_browser import FLAGS, LOW_CONTRAST
from tests.publishing.admin.conftest import errored, lane
from tests.publishing.admin.test_verbs import waiting_for_approval
from tests.publishing.articles import make_article
from tests.publishing.conftest import caps, prices
from tests.publishing.regenerating import ID, park, waiting_with_paid_answer
from tests.publishing.reviewing import article_of, make_lane, send
from tests.publishing.reviewing import run as finish
from tests.publishing.spending import call_row
from tests.trial.stages import ENTRIES
from workflows.bulk import BulkVerb, start_bulk
from workflows.listing import Filter
from workflows.models import BulkOperation, Event, Instance, Status
from workflows.schedules import save_schedule

__all__ = ["caps", "lane", "prices"]  # the fixtures

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.needs("chromium")]

LOOKS = [(width, scheme) for width in (390, 1440) for scheme in ("light", "dark")]


@pytest.fixture
def house(lane: Lane) -> dict[str, str]:
    """Return the addresses of pages with something on them, by name."""
    assert lane.bundle is not None
    instance = errored("a", partition="trial")
    Brief.objects.create(
        brief_id="a", lane=lane, instance=instance, bundle=lane.bundle, payload={"title": "A size"}
    )
    routine = Routine.objects.create(name="desk")
    waiting = waiting_for_approval()
    again = f"/admin/workflows/instance/{waiting.pk}"
    order = start_bulk(BulkVerb("pause"), Filter(status=("waiting",)), actor="op", why="a batch")
    BulkOperation.objects.update(refused=1, total=3, refusals=["pause: trial-x is complete"])
    schedule = save_schedule("nightly", workflow="trial", cron="0 1 * * *", entries=ENTRIES)
    reviewed = send(make_lane("always"), notes="The clocks agree at last. " * 20)
    finish(reviewed)
    run = f"/admin/workflows/instance/{instance.pk}"
    return {
        "desk": "/admin/",
        "list": "/admin/workflows/instance/",
        "run": f"{run}/change/",
        "restart": f"{run}/restart/",
        "replace": f"{run}/replace-output/",
        "output": f"{run}/replace-output/?entry=trial_first",
        "wait": f"{again}/change/",
        "send": f"{again}/send-event/",
        "pause": f"{again}/pause/",
        "orders": "/admin/workflows/bulkoperation/",
        "order": f"/admin/workflows/bulkoperation/{order.pk}/change/",
        "stop": f"/admin/workflows/bulkoperation/{order.pk}/stop/",
        "schedules": "/admin/workflows/schedule/",
        "schedule": f"/admin/workflows/schedule/{schedule.pk}/change/",
        "lane": f"/admin/lanes/lane/{lane.pk}/change/",
        "bundle": f"/admin/lanes/bundle/{lane.bundle_id}/change/",
        "routine": f"/admin/publishing/routine/{routine.pk}/change/",
        "calls": "/admin/publishing/call/",
        "reviews": "/admin/publishing/review/",
        "review": f"/admin/publishing/review/{article_of(reviewed).pk}/change/",
    }


@pytest.fixture
def money(caps: Any, settings: Any) -> dict[str, str]:
    """Return the addresses of the pages about money, with something on them, by name."""
    settings.ANTHROPIC_API_KEY = "sk-test"
    waiting, call = waiting_with_paid_answer()
    other, _ = waiting_with_paid_answer("b2")
    park(other, {"model": call.model, "call": call.pk})
    third, _ = waiting_with_paid_answer("b3")
    park(third, {"cap": "day", "resets_at": "2031-01-01T00:00:00+00:00"}, reason="budget")
    dear = call_row("b4", held_micros=200_000, cost_micros=250_000, model=call.model)
    block = BlockedModel.objects.create(model=call.model, call=dear, since=timezone.now())
    run = f"/admin/workflows/instance/{waiting.pk}"
    ledger = "/admin/publishing"
    return {
        "desk": "/admin/",
        "run": f"{run}/change/",
        "regenerate": f"{run}/regenerate/",
        "regenerate from": f"{run}/regenerate/?entry=generate",
        "paid answer": f"{run}/use-paid-answer/",
        "spend": f"{ledger}/call/spend/",
        "caps": f"{ledger}/cap/",
        "prices": f"{ledger}/price/",
        "new price": f"{ledger}/price/add/",
        "blocked": f"{ledger}/blockedmodel/",
        "block": f"{ledger}/blockedmodel/{block.pk}/change/",
        "clear": f"{ledger}/blockedmodel/{block.pk}/clear/",
    }


@contextmanager
def signed_in(program: str, address: str, **context: Any) -> Iterator[Page]:
    """Sign an operator in at the server's own page."""
    User.objects.create_superuser("op", password="pw")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_context(base_url=address, **context).new_page()
        page.goto("/admin/")
        page.fill("#id_username", "op")
        page.fill("#id_password", "pw")
        page.click("[type=submit]")
        yield page
        browser.close()


@pytest.mark.parametrize("pages", ["house", "money"])
def test_every_page_is_accessible_wide_enough_and_true_to_its_policy(
    live_server: Any, chromium_path: str, pages: str, request: pytest.FixtureRequest
) -> None:
    addresses: dict[str, str] = request.getfixturevalue(pages)
    with signed_in(chromium_path, live_server.url) as page:
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        for name, address in addresses.items():
            page.goto(address)
            for width, scheme in LOOKS:
                assert (name, width, scheme, faults_of(page, width, scheme)) == (
                    name,
                    width,
                    scheme,
                    [],
                )
        assert complaints == []


def faults_of(page: Page, width: int, scheme: Any) -> list[Any]:
    """Return what axe, contrast and width find wrong with the open page in this look."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    violations = [
        (v["id"], node["html"]) for v in Axe().run(page)["violations"] for node in v["nodes"]
    ]
    overflow = page.evaluate("document.documentElement.scrollWidth") - width
    return [*violations, *page.evaluate(LOW_CONTRAST), *([overflow] if overflow > 0 else [])]


def test_an_operator_retries_a_failed_step_without_javascript(
    live_server: Any, chromium_path: str, house: dict[str, str]
) -> None:
    with signed_in(chromium_path, live_server.url, java_script_enabled=False) as page:
        page.goto(house["run"])
        page.get_by_role("link", name="Retry failed step: trial_second").click()
        page.get_by_label("Reason").fill("the source is back")
        page.get_by_role("button", name="Retry failed step").click()
        assert "Now trial_second of trial-a is tried again." in page.content()
    assert Instance.objects.get(key="a").status == Status.WAITING


def test_an_operator_pays_again_clears_a_model_and_uses_an_answer_without_javascript(
    live_server: Any, chromium_path: str, money: dict[str, str]
) -> None:
    with signed_in(chromium_path, live_server.url, java_script_enabled=False) as page:
        page.goto(money["block"])
        page.get_by_role("link", name="Clear").click()
        page.get_by_label("Reason").fill("the price is right")
        page.get_by_role("button", name="Clear").click()
        assert "1 instance that waited for it goes on." in page.content()
        page.goto(money["run"])
        page.get_by_role("link", name="Use the paid answer").click()
        page.get_by_role("button", name="Use the paid answer").click()
        assert f"Now generate of {ID} goes on with the answer that is paid." in page.content()
        page.get_by_role("link", name="Regenerate").click()
        page.get_by_role("link", name="generate", exact=True).click()
        page.get_by_label("the lane's current one: version 2").check()
        page.get_by_label("Reason").fill("too long")
        page.get_by_role("button", name="Regenerate for at most").click()
        assert f"Now {ID} pays again from generate on, as generation 2." in page.content()
    assert Regeneration.objects.get().bundle == 2
    assert not BlockedModel.objects.exists()
    assert Call.objects.get(brief_id="b1").outcome.startswith("accepted by op")


@pytest.mark.parametrize("width", [390, 1440])
def test_an_instance_is_paused_resumed_and_sent_its_approval_by_clicks(
    live_server: Any, chromium_path: str, width: int
) -> None:
    instance = waiting_for_approval()
    look = {"viewport": {"width": width, "height": 900}}
    with signed_in(chromium_path, live_server.url, **look) as page:
        page.goto(f"/admin/workflows/instance/{instance.pk}/change/")
        for verb, state in (("Pause", "paused"), ("Resume", "waiting for an event")):
            page.get_by_role("link", name=verb, exact=True).click()
            page.get_by_label("Reason").fill("a look first")
            page.get_by_role("button", name=verb, exact=True).click()
            expect(page.locator("#status-line")).to_contain_text(state)
        page.get_by_role("link", name="Send an event").click()
        expect(page.get_by_label("Type")).to_have_value("approval")
        page.get_by_label("Payload").fill('{"revision": 1}')
        page.get_by_role("button", name="Send an event").dblclick()
        expect(page.locator("#events-title")).to_be_visible()
    assert list(Event.objects.values_list("type", "payload", "sender")) == [
        ("approval", {"revision": 1}, "op")
    ]


@pytest.mark.parametrize("width", [390, 1440])
def test_the_verbs_of_articles_and_bundles_can_be_clicked(
    live_server: Any, chromium_path: str, lane: Lane, width: int
) -> None:
    first = lane.bundle
    assert first is not None
    save_bundle(lane, specs_of(first).model_copy(update={"voice": "Dry."}))
    article = make_article("A size")
    look = {"viewport": {"width": width, "height": 900}}
    with signed_in(chromium_path, live_server.url, **look) as page:
        page.goto(f"/admin/lanes/bundle/{first.pk}/change/")
        page.get_by_role("button", name="Use from now on").click()
        expect(page.locator(".messagelist")).to_contain_text("is used for briefs from now on")
        page.goto(f"/admin/publishing/article/{article.pk}/change/")
        page.get_by_role("button", name="Withdraw …").click()
        page.get_by_role("button", name="Withdraw: 1").click()
        expect(page.locator(".messagelist .success")).to_be_visible()
        assert page.request.get(article.get_absolute_url()).status == 410
    lane.refresh_from_db()
    assert lane.bundle_id == first.pk


def test_the_page_of_a_run_follows_it_to_its_end_and_then_stops_asking(
    live_server: Any, chromium_path: str, house: dict[str, str]
) -> None:
    Instance.objects.filter(key="a").update(
        status=Status.RUNNING, attempt_started_at=timezone.now(), finished_at=None
    )
    with signed_in(chromium_path, live_server.url) as page:
        page.goto(house["run"])
        expect(page.locator("#status-line")).to_contain_text("running")
        expect(page.locator("#pause-live")).to_be_visible()
        ending = threading.Thread(target=_end_all)
        ending.start()
        ending.join()
        expect(page.locator("#status-line")).to_contain_text("terminated", timeout=15_000)
        expect(page.locator("#pause-live")).to_be_hidden()


def _end_all() -> None:
    """End the instance, from a thread: Playwright's driver runs a loop in the test's own."""
    Instance.objects.filter(key="a").update(status=Status.TERMINATED, finished_at=timezone.now())
    connection.close()
