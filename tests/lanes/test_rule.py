"""When a lane may have a graph of its own, and what it is told when it need not."""

from typing import Any

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from lanes.models import Lane, LaneGraph
from lanes.spine import SPINE
from lanes.versions import draft_graph, save_graph
from tests.lanes.broken_graphs import research, swapped
from workflows.errors import ContractError

pytestmark = pytest.mark.django_db

DEEPEN = {"step": "ground", "name": "deepen"}


@pytest.fixture
def lane() -> Lane:
    return Lane.objects.create(name="trial", title="Trial", hue=77)


def refusal(lane: Lane, entries: list[dict[str, Any]], reason: str = "") -> str:
    with pytest.raises(ContractError) as refused:
        save_graph(lane, entries, reason=reason)
    assert LaneGraph.objects.count() == 0
    return str(refused.value)


def test_two_stages_away_from_the_spine_nothing_is_asked(lane: Lane) -> None:
    assert save_graph(lane, research()) == 1
    assert LaneGraph.objects.get().reason == ""


def test_one_stage_away_the_option_that_would_do_is_named(lane: Lane) -> None:
    assert refusal(lane, [*SPINE[:2], DEEPEN, *SPINE[2:]]) == (
        "graph.reason: is empty, and the graph is 1 stage away from the spine (deepen added); up "
        "to 1 a lane stays on it: use the branch inside the step (options.ground.passes and "
        "options.ground.dead_links), or give the reason for a graph of its own"
    )


def test_where_no_option_would_do_the_reason_is_asked_for(lane: Lane) -> None:
    without_index = [entry for entry in SPINE if entry.get("step") != "validate"]
    moved = swapped("persist", "index", swapped("index", "persist"))
    assert moved == SPINE
    assert "graph.entries[0].validated" in refusal(lane, without_index)
    extra = {"step": "validate", "name": "again"}
    assert "options.validate." in refusal(lane, [*SPINE[:1], extra, *SPINE[1:]])
    twice = {"step": "index", "name": "index_again"}
    assert refusal(lane, [*SPINE[:6], twice, *SPINE[6:]]) == (
        "graph.reason: is empty, and the graph is 1 stage away from the spine (index_again added); "
        "up to 1 a lane stays on it: keep to the spine's stages, or give the reason for a graph of "
        "its own"
    )


def test_where_only_options_differ_they_are_what_would_do(lane: Lane) -> None:
    entries = [entry | ({"options": {"passes": 2}} if entry.get("step") == "ground" else {})
               for entry in SPINE]  # fmt: skip
    said = refusal(lane, entries)
    assert "the graph is 0 stages away from the spine (no stage differs)" in said
    assert "(options.ground.passes and options.ground.dead_links)" in said


def test_with_a_reason_one_stage_is_enough_and_the_reason_is_kept(lane: Lane) -> None:
    assert save_graph(lane, swapped("index", "cover"), reason="Covers are slow.") == 1
    assert LaneGraph.objects.get().reason == "Covers are slow."


@pytest.mark.parametrize("reason", ["  ", "x" * 301, "a\x00b"])
def test_what_is_no_reason_is_refused(lane: Lane, reason: str) -> None:
    assert refusal(lane, swapped("index", "cover"), reason).startswith("graph.reason: ")


def test_a_draft_needs_a_reason_too(lane: Lane) -> None:
    with pytest.raises(ContractError, match=r"^graph\.reason: is empty"):
        draft_graph(lane, swapped("index", "cover"))
    assert LaneGraph.objects.count() == 0


def test_the_threshold_is_a_setting(lane: Lane, settings: Settings) -> None:
    settings.LANES_OWN_GRAPH_ABOVE = 2
    assert "the graph is 2 stages away" in refusal(lane, research())
    settings.LANES_OWN_GRAPH_ABOVE = 0
    assert save_graph(lane, swapped("index", "cover")) == 1


def test_the_check_warns_of_a_graph_that_would_need_a_reason_today(
    lane: Lane, settings: Settings
) -> None:
    save_graph(lane, research())
    settings.LANES_OWN_GRAPH_ABOVE = 2

    (found,) = run_checks(databases=["default"])
    assert (found.id, found.msg.partition(":")[0]) == ("lanes.W001", "lane trial")
