"""The research graph, run whole: deepen before generate, fact_check after it, review at the end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from lanes.selection import compile_entries
from publishing.intake.submit import Sender, submit_brief
from publishing.models import Article
from publishing.reviews import approve
from tests.publishing.page_server import PageServer, page, serve_pages
from tests.publishing.reviewing import make_lane, revision_of, run
from workflows.graphs import StepEntry, load_plan, prove_graph, store_graph
from workflows.models import Instance, Status

pytestmark = pytest.mark.django_db(transaction=True)

TEA = "Fisher poured eight cups of tea, and a lady tasted them at Rothamsted in the afternoon."
LINKED = (
    'Of Muriel Bristol and William Roach more is told by <a href="/bristol">what others wrote</a>.'
)
ANSWER = "Muriel Bristol, an algologist, married the chemist William Roach in 1923. It is huge."


@pytest.fixture
def web(settings: Settings, tmp_path: Path) -> Iterator[PageServer]:
    store = {
        "BACKEND": "publishing.providers.objects.ContentAddressedFileStorage",
        "OPTIONS": {"location": tmp_path, "base_url": "/media/"},
    }
    settings.STORAGES = settings.STORAGES | {"default": store}
    with serve_pages() as server:
        settings.FETCH_ALLOW_HOSTS = [server.host]
        server.pages["/a"] = page(
            f"<title>Tea</title><article><p>{TEA}</p><p>{LINKED}</p></article>"
        )
        server.pages["/bristol"] = page(f"<title>Bristol</title><article><p>{ANSWER}</p></article>")
        yield server


def research(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the spine's entries with the two stages of the research lane."""
    graph = [*entries]
    at = {entry.get("step"): place for place, entry in enumerate(entries)}
    graph.insert(at["generate"] + 1, {"step": "fact_check"})
    graph.insert(at["generate"], {"step": "deepen"})
    return graph


def test_later_steps_read_the_deepened_sources_and_the_checked_draft() -> None:
    entries = research(compile_entries(make_lane("flagged")))
    plan = prove_graph(entries, workflow="publish")

    wiring = {entry.name: entry.wiring for entry in plan.entries if isinstance(entry, StepEntry)}
    position = {entry.name: place for place, entry in enumerate(plan.entries)}
    for name in ("generate", "fact_check", "clean", "persist"):
        assert wiring[name]["grounded"] == position["deepen"]
    assert wiring["clean"]["draft"] == position["fact_check"]


def test_a_brief_goes_through_all_of_it_and_waits_for_its_reviewer(web: PageServer) -> None:
    lane = make_lane("flagged")
    body = {
        "brief_id": "b",
        "lane": lane.name,
        "title": "Eight cups of tea",
        "summary": "A lady tasted eight cups of tea that Fisher poured at Rothamsted.",
        "points": ["Muriel Bristol married the chemist William Roach."],
        "sources": [{"url": web.url("/a")}],
    }
    brief = submit_brief(body, Sender(trigger="command", lanes=frozenset([lane.name]))).brief
    instance = Instance.objects.get(pk=brief.instance_id)
    graph = store_graph(research(compile_entries(lane)), workflow="publish")
    Instance.objects.filter(pk=instance.pk).update(graph=graph)
    run(instance)

    assert (instance.status, instance.reason, instance.error) == (Status.WAITING, "event", None)
    revision = revision_of(instance)
    assert [source.key for source in revision.sources.all()] == ["s1", "s2"]
    assert revision.flags == ["anti-pattern 'Hype.': 'huge'. It tires."]
    assert revision.findings[0].startswith("fact-check without a model: the numbers, names and")
    assert load_plan(graph.pk, "publish").position_of("review") == instance.position
    approve("publish-b", revision.pk, actor="edna")
    run(instance)
    assert Article.objects.get().status == "live"
