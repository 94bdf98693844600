"""What cannot be run is refused at save, by the check and by load_lanes: one path, one wording."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command

from lanes.models import Lane, LaneGraph, LaneOptions, VersionUse
from lanes.selection import plan_for
from lanes.toml import write_lanes
from lanes.versions import (
    draft_graph,
    prove_options,
    prove_own_graph,
    read_specs,
    save_bundle,
    save_graph,
    save_options,
)
from tests.lanes.broken_graphs import BROKEN, Broken, named, research, swapped
from workflows.errors import ContractError
from workflows.models import StepGraph

pytestmark = pytest.mark.django_db
SPECS = {"voice": "Plain.", "audience": "Readers.", "brief_hints": "Short."}
every_broken_one = pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)


@pytest.fixture
def lane() -> Lane:
    made = Lane.objects.create(name="trial", title="Trial", hue=77)
    save_bundle(made, read_specs(SPECS))
    return made


def refusal_at_save(lane: Lane, broken: Broken) -> ContractError:
    """Return what an editor who saves it is told."""
    if broken.entries is None:
        with pytest.raises(ContractError) as refused:
            save_options(lane, broken.options)
    else:
        with pytest.raises(ContractError) as refused:
            save_graph(lane, broken.entries, options=broken.options)
    return refused.value


def put_in_place(lane: Lane, broken: Broken) -> None:
    """Store it as code of another time would have left it."""
    options = LaneOptions.objects.create(lane=lane, version=1, entries=broken.options)
    graph = None
    if broken.entries is not None:
        graph = LaneGraph.objects.create(lane=lane, version=1, entries=broken.entries)
    Lane.objects.filter(pk=lane.pk).update(options=options, graph=graph)


@every_broken_one
def test_a_save_names_the_place_and_nothing_is_stored(lane: Lane, broken: Broken) -> None:
    error = refusal_at_save(lane, broken)

    assert error.path == broken.path
    assert broken.words in error.message
    assert (LaneGraph.objects.count(), LaneOptions.objects.count()) == (0, 0)
    assert VersionUse.objects.exclude(kind="bundle").count() == 0
    lane.refresh_from_db()
    assert (lane.graph, lane.options) == (None, None)


@every_broken_one
def test_the_check_names_lane_and_place_in_the_words_of_the_save(
    lane: Lane, broken: Broken
) -> None:
    said = str(refusal_at_save(lane, broken))
    put_in_place(lane, broken)

    found = run_checks(databases=["default"])

    assert [(error.id, error.msg) for error in found] == [("lanes.E002", f"lane trial: {said}")]


@every_broken_one
def test_a_file_is_refused_whole_in_the_words_of_the_save(
    lane: Lane, broken: Broken, tmp_path: Path
) -> None:
    said = str(refusal_at_save(lane, broken))
    row: dict[str, Any] = {"name": "trial", "title": "Trial", "hue": 77, "bundle": SPECS}
    fitting = row | {"name": "fitting"}
    row["options"] = broken.options
    if broken.entries is not None:
        row["graph"] = {"entries": broken.entries}
    file = tmp_path / "lanes.toml"
    file.write_text(write_lanes([fitting, row]))

    with pytest.raises(CommandError) as refused:
        call_command("load_lanes", file, stdout=StringIO())

    assert str(refused.value) == f"{file}: lane trial: {said}"
    assert list(Lane.objects.values_list("name", flat=True)) == ["trial"]
    assert (LaneGraph.objects.count(), LaneOptions.objects.count()) == (0, 0)


@every_broken_one
def test_no_brief_is_dispatched_with_it(lane: Lane, broken: Broken) -> None:
    said = str(refusal_at_save(lane, broken))
    put_in_place(lane, broken)

    with pytest.raises(ContractError) as refused:
        plan_for(Lane.objects.get(pk=lane.pk))

    assert str(refused.value) == said
    assert StepGraph.objects.count() == 0


def test_swapping_index_and_cover_is_allowed(lane: Lane) -> None:
    save_graph(lane, swapped("index", "cover"), reason="The cover takes longest.")

    entries = plan_for(Lane.objects.get(pk=lane.pk)).graph.entries
    assert [named(entry) for entry in entries][5:7] == ["cover", "index"]


def test_a_graph_two_stages_away_fits(lane: Lane) -> None:
    assert save_graph(lane, research()) == 1
    assert run_checks(databases=["default"]) == []


def test_a_fault_is_named_before_it_is_saved_as_a_draft(lane: Lane) -> None:
    with pytest.raises(ContractError, match=r"^graph\.entries\[1\]\.grounded"):
        draft_graph(lane, swapped("ground", "generate"))
    assert LaneGraph.objects.count() == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "is null; leave it out for its default"),
        (float("nan"), "is nan, which JSON has no number for"),
        ("a\x00b", "contains NUL"),
        ("\ud800", "lone surrogate"),
        (b"x", "is a bytes; write it as text in quotes"),
    ],
)
def test_what_no_database_holds_is_named_by_its_path(lane: Lane, value: Any, said: str) -> None:
    graph = research(ground={"options": {"passes": [value]}})
    with pytest.raises(ContractError) as in_graph:
        prove_own_graph(lane, graph)
    with pytest.raises(ContractError) as in_options:
        prove_options(lane, {"ground": {"passes": [value]}})

    assert in_graph.value.path == "graph.entries[1].options.passes[0]"
    assert in_options.value.path == "options.ground.passes[0]"
    assert said in in_graph.value.message
    assert in_graph.value.message == in_options.value.message


def test_a_value_that_is_nested_without_end_is_refused(lane: Lane) -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    with pytest.raises(ContractError, match="is nested more than 20 deep"):
        prove_options(lane, {"ground": {"passes": deep}})


@pytest.mark.parametrize("graph", [None, {}, "spine", [5]])
def test_a_graph_of_another_shape_is_refused(lane: Lane, graph: Any) -> None:
    with pytest.raises(ContractError, match=r"^graph\.entries"):
        save_graph(lane, graph)
    assert LaneGraph.objects.count() == 0
