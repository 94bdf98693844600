"""The migration math: distances, what there is to keep in step, the verdicts, and the wiring."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from lanes.models import Lane, LaneGraph
from lanes.toml import write_lanes
from lanes.versions import save_graph, save_options
from tests.lanes.broken_graphs import BROKEN, research, swapped
from tests.lanes.conftest import make_lane
from workflows.models import StepGraph

pytestmark = pytest.mark.django_db

SPINE_INPUTS = 21
RESEARCH_INPUTS = 26  # deepen takes two, second_look three


@pytest.fixture(autouse=True)
def lanes() -> list[Lane]:
    made = [make_lane("news"), make_lane("research")]
    Lane.objects.filter(name="research").update(place=1)
    return made


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("plan_lanes", *arguments, stdout=out)
    return out.getvalue()


def what_if(path: Path, *rows: dict[str, Any]) -> str:
    file = path / "what-if.toml"
    file.write_text(write_lanes(list(rows)))
    return str(file)


def test_every_lane_on_the_spine_is_one_definition_and_stays() -> None:
    assert run().splitlines()[-4:] == [
        "As it is: 1 definition, 21 typed inputs to keep in step.",
        "",
        "news: stay on the spine: nothing about the work changed.",
        "research: stay on the spine: nothing about the work changed.",
    ]


def test_a_lane_two_stages_away_is_a_definition_of_its_own(lanes: list[Lane]) -> None:
    save_graph(lanes[1], research())
    assert run().splitlines()[-4:] == [
        "As it is: 2 definitions, 47 typed inputs to keep in step.",
        "",
        "news: stay on the spine: nothing about the work changed.",
        "research: own graph (2 stages).",
    ]


def test_options_are_said_to_do(lanes: list[Lane]) -> None:
    save_options(lanes[1], {"ground": {"passes": 2}})
    assert run("research").splitlines()[-1] == (
        "research: stay on the spine: options do (ground.passes)."
    )


def test_a_reason_is_repeated_where_one_was_needed(lanes: list[Lane]) -> None:
    save_graph(lanes[1], swapped("index", "cover"), reason="Covers are slow.")
    assert run("research").splitlines()[-1] == (
        "research: own graph (1 stage), because Covers are slow."
    )


def test_a_graph_from_a_file_is_planned_and_nothing_is_stored(tmp_path: Path) -> None:
    file = what_if(tmp_path, {"name": "research", "graph": {"entries": research()}})
    found = json.loads(run("--file", file, "--split", "--json"))

    assert found["upkeep"] == {
        "now": {"definitions": 1, "inputs": SPINE_INPUTS},
        "what_if": {"definitions": 2, "inputs": SPINE_INPUTS + RESEARCH_INPUTS},
        "split": {"definitions": 2, "inputs": SPINE_INPUTS + RESEARCH_INPUTS},
    }
    assert found["threshold"] == 1
    news, planned = found["lanes"]
    assert (news["stages"], news["has_own_graph"], news["is_worth_it"]) == (0, False, False)
    assert planned == {
        "lane": "research",
        "has_own_graph": True,
        "is_worth_it": True,
        "distance": {"added": ["deepen", "second_look"], "removed": [], "moved": [],
                     "replaced": []},
        "inputs": RESEARCH_INPUTS,
        "paid_stages": {"generate": 0, "index": 0, "cover": 0},
        "sentence": "research: own graph (2 stages).",
        "stages": 2,
        "worst_micros": 0,
    }  # fmt: skip
    assert (LaneGraph.objects.count(), StepGraph.objects.count()) == (0, 0)


def test_split_counts_a_definition_for_every_lane_and_the_verdicts_stay() -> None:
    said = run("--split").splitlines()
    assert "If every lane were split: 2 definitions, 42 typed inputs to keep in step." in said
    assert said[-1] == "research: stay on the spine: nothing about the work changed."


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        (swapped("index", "cover"),
         "news: stay on the spine: cover moved; keep to the spine's stages."),
        (research(without="second_look"),
         "news: stay on the spine: deepen added; use the branch inside the step "
         "(options.ground.passes and options.ground.dead_links)."),
        (swapped("index", "index"), "news: stay on the spine: nothing about the work changed."),
    ],
)  # fmt: skip
def test_a_what_if_within_the_threshold_names_what_would_do(
    tmp_path: Path, entries: list[dict[str, Any]], sentence: str
) -> None:
    file = what_if(tmp_path, {"name": "news", "graph": {"entries": entries}})
    assert run("news", "--file", file).splitlines()[-1] == sentence


def test_a_what_if_may_be_of_a_lane_that_does_not_exist(tmp_path: Path) -> None:
    file = what_if(tmp_path, {"name": "music", "options": {"ground": {"passes": 2}}})
    assert run("--file", file).splitlines()[-1] == (
        "music: stay on the spine: options do (ground.passes)."
    )
    assert not Lane.objects.filter(name="music").exists()


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_what_if_that_cannot_be_run_is_refused_by_path(tmp_path: Path, broken: Any) -> None:
    row = {"name": "music", "options": broken.options}
    if broken.entries is not None:
        row["graph"] = {"entries": broken.entries}
    file = what_if(tmp_path, row)

    with pytest.raises(CommandError) as refused:
        run("--file", file)
    assert str(refused.value).startswith(f"{file}: lane music: {broken.path}: ")
    assert broken.words in str(refused.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"title": "x"}, "lane 1: name: is missing"),
        ({"name": "news", "grahp": {}}, "lane news: grahp: is unknown; there are name, title"),
        ({"name": "news", "graph": {"reason": "x"}}, "lane news: graph.entries: Field required"),
    ],
)
def test_a_what_if_that_is_misspelt_is_told_so(
    tmp_path: Path, row: dict[str, Any], said: str
) -> None:
    with pytest.raises(CommandError) as refused:
        run("--file", what_if(tmp_path, row))
    assert said in str(refused.value)


def test_a_lane_that_does_not_exist_is_told_so() -> None:
    for arguments in (("sports",), ("sports", "--wiring")):
        with pytest.raises(CommandError, match="no lane is called sports; there are news, resear"):
            run(*arguments)


def test_the_wiring_says_which_entry_feeds_which_input(lanes: list[Lane]) -> None:
    save_graph(lanes[1], research())
    said = run("research", "--wiring").splitlines()
    assert said[2:6] == [
        "deepen       Brief, Validated of validate → Grounded",
        "generate     Brief, Grounded of deepen, BundleSpecs → Draft",
        "clean        Draft of generate, Grounded of deepen, Brief → Cleaned",
        "second_look  Draft of generate, Grounded of deepen, Brief → Cleaned",
    ]
    wires = json.loads(run("research", "--wiring", "--json"))
    assert wires[0] == {"entry": "validate", "parameter": "brief", "contract": "Brief",
                        "provider": None}  # fmt: skip
    assert {"entry": "persist", "parameter": "cleaned", "contract": "Cleaned",
            "provider": "second_look"} in wires  # fmt: skip


def test_the_readme_shows_the_wiring_of_the_spine() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    shown = "\n".join(f"    {line}" for line in run("--wiring").splitlines())
    assert shown in readme
