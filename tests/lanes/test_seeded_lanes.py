"""The eight lanes as they come: seven on the spine, and research on a graph of its own."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from lanes.distance import distance_from_spine
from lanes.files import read_lanes
from lanes.loading import load_lanes
from lanes.models import Lane
from lanes.rule import is_own_graph_worth_it
from lanes.selection import plan_for
from lanes.versions import use_spine
from workflows.models import StepGraph

pytestmark = pytest.mark.django_db

FILE = Path(settings.BASE_DIR) / "lanes" / "lanes.toml"


@pytest.fixture
def lanes() -> dict[str, Lane]:
    load_lanes(read_lanes(FILE), source=FILE.name)
    rows = Lane.objects.select_related("bundle", "options", "graph")
    return {lane.name: lane for lane in rows}


def plans() -> dict[str, tuple[int, list[dict[str, Any]]]]:
    """Return the stored graph that each lane's next brief is run with: its row and its entries."""
    rows = Lane.objects.select_related("bundle", "options", "graph")
    made = {lane.name: plan_for(lane).graph for lane in rows}
    return {name: (graph.pk, graph.entries) for name, graph in made.items()}


def test_research_is_two_stages_away_and_the_others_are_on_the_spine(
    lanes: dict[str, Lane],
) -> None:
    research = lanes.pop("research")
    assert research.graph is not None
    distance = distance_from_spine(research.graph.entries)
    assert (distance.stages, list(distance.added)) == (2, ["deepen", "fact_check"])
    assert is_own_graph_worth_it(distance)
    assert research.graph.reason == ""
    assert {lane.graph for lane in lanes.values()} == {None}


def test_researchs_move_leaves_the_stored_plans_of_the_seven_as_they_were(
    lanes: dict[str, Lane],
) -> None:
    after = plans()
    use_spine(lanes["research"])
    before = plans()

    assert before.pop("research") != after.pop("research")
    assert before == after
    assert len(before) == 7
    assert StepGraph.objects.count() == 9


def test_no_other_lane_runs_a_step_that_only_research_has(lanes: dict[str, Lane]) -> None:
    run = {
        name: {entry["step"] for entry in entries if "step" in entry}
        for name, (_, entries) in plans().items()
    }
    assert run.pop("research") == {"deepen", "fact_check"} | run["news"]
    assert all(steps == run["news"] for steps in run.values())
