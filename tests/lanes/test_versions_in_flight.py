"""What was dispatched keeps its versions; what other lanes have is not touched."""

import json

import pytest

from lanes.models import Bundle, Lane, LaneGraph
from lanes.selection import plan_for
from lanes.spine import SPINE
from lanes.versions import read_specs, save_bundle, save_graph, save_options, use_spine
from publishing.models import Revision
from tests.lanes.broken_graphs import named, research
from tests.lanes.conftest import SPECS, Post, make_lane, run_entries
from tests.workflows.conftest import is_in, run_to_end, standing_drain, wait_until
from workflows.events import send_event
from workflows.models import Instance, Status, StepGraph

STEPS = [named(entry) for entry in SPINE if "step" in entry]
DEEPER = [named(entry) for entry in research() if "step" in entry]


def test_an_instance_dispatched_before_an_edit_finishes_as_it_began_across_a_restart_of_the_drain(
    post: Post,
) -> None:
    lane = make_lane("research")
    waiting = research()
    waiting.insert(4, {"wait": "go"})
    save_graph(lane, waiting)
    begun = Instance.objects.get(pk=post().brief.instance_id)
    with standing_drain():
        wait_until(lambda: is_in(begun, Status.WAITING) and begun.owner is None)
    assert run_entries(begun) == ["validate", "ground", "deepen", "generate"]

    save_bundle(lane, read_specs(SPECS | {"voice": "Dry."}))
    use_spine(lane, options={"ground": {"passes": 2}})
    send_event(str(begun.instance_id), "go", sender="ann")
    later = Instance.objects.get(pk=post("tides").brief.instance_id)
    run_to_end(begun, later)

    assert (is_in(begun, Status.COMPLETE), is_in(later, Status.COMPLETE)) == (True, True)
    waits = {"go", "publish_at"}
    assert [each for each in run_entries(begun) if each not in waits] == DEEPER
    assert [each for each in run_entries(later) if each not in waits] == STEPS
    written_under = Revision.objects.values_list("article__brief__brief_id", "bundle__version")
    assert dict(written_under) == {"clocks": 1, "tides": 2}
    graph = LaneGraph.objects.get()
    assert [begun.envelope.data["graph"], later.envelope.data["graph"]] == [graph.pk, None]
    assert [begun.envelope.data["options"], later.envelope.data["options"]] == [
        None,
        lane.options_id,
    ]


@pytest.mark.django_db
def test_the_stored_plans_of_seven_lanes_are_the_same_bytes_when_the_eighth_moves() -> None:
    lanes = [make_lane(name) for name in
             ("news", "dev", "build", "design", "marketing", "founders", "business")]  # fmt: skip
    mover = make_lane("research")
    before = [stored(lane) for lane in lanes]
    spine = stored(mover)

    save_graph(mover, research())
    save_options(mover, {"deepen": {"passes": 1}})

    assert [stored(lane) for lane in lanes] == before
    assert stored(mover) != spine
    assert StepGraph.objects.count() == 9


@pytest.mark.django_db
def test_an_edit_acts_on_the_next_plan_and_the_way_back_finds_the_old_graph() -> None:
    lane = make_lane("research")
    spine = plan_for(read(lane)).graph
    save_graph(lane, research())
    own = plan_for(read(lane)).graph
    use_spine(lane)

    # A lane without a review policy has no review; the rest is what was saved.
    saved = [named(entry) for entry in research() if named(entry) != "review"]
    assert [named(entry) for entry in own.entries] == saved
    assert plan_for(read(lane)).graph == spine
    assert StepGraph.objects.count() == 2


@pytest.mark.django_db
def test_a_plan_names_the_versions_that_it_was_made_of() -> None:
    lane = make_lane("research")
    save_graph(lane, research(), options={"deepen": {"passes": 1}})
    plan = plan_for(read(lane))
    save_bundle(lane, read_specs(SPECS))

    lane.refresh_from_db()
    assert plan.envelope == {
        "lane": "research",
        "bundle": Bundle.objects.get(version=1).pk,
        "graph": lane.graph_id,
        "options": lane.options_id,
    }


def read(lane: Lane) -> Lane:
    """Return the lane as a process that knows nothing of it reads it."""
    return Lane.objects.select_related("bundle", "graph", "options").get(pk=lane.pk)


def stored(lane: Lane) -> bytes:
    """Return the plan that a brief of the lane is run with, as it is stored."""
    graph = plan_for(read(lane)).graph
    graph.refresh_from_db()
    return json.dumps([graph.pk, graph.digest, graph.entries]).encode()
