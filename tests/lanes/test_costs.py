"""The worst case of a lane's plan, and the bound above which it is refused at save."""

from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from pytest_django import Settings

from lanes.compiler import Makeup, prove_lane
from lanes.costs import worst_cases
from lanes.models import Lane, LaneGraph, LaneOptions
from lanes.selection import plan_for
from lanes.toml import write_lanes
from lanes.versions import save_graph, save_options
from publishing.models import Cap, Price
from publishing.stages.generate import GenerateOptions, worst_case
from tests.lanes.broken_graphs import research
from tests.lanes.conftest import SPECS, make_lane
from workflows.errors import ContractError

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("caps", "key")]


@pytest.fixture
def key(settings: Settings) -> None:
    """Let texts be paid for, and nothing else."""
    settings.ANTHROPIC_API_KEY, settings.TEXT_MODEL = "sk-test", "claude-sonnet-5-5"
    settings.OPENAI_API_KEY = settings.CLOUDFLARE_API_TOKEN = ""


@pytest.fixture
def lane() -> Lane:
    return make_lane("news")


def test_it_is_the_sum_of_what_each_entry_may_cost(lane: Lane) -> None:
    second = {"step": "generate", "name": "again", "options": {"max_tokens": 1000}}
    entries = research()
    entries.insert(4, second)
    save_graph(lane, entries)

    assert worst_cases(Makeup.of(lane), prove_lane(lane)) == {
        "generate": worst_case(GenerateOptions()),
        "again": worst_case(GenerateOptions(max_tokens=1000)),
        "index": 0,
        "cover": 0,
    }


def test_a_graph_that_may_cost_more_than_a_brief_may_is_refused_with_sum_and_bound(
    lane: Lane, tmp_path: Path
) -> None:
    one = worst_case(GenerateOptions())
    entries = research()
    entries[4:4] = [{"step": "generate", "name": f"draft_{n}"} for n in range(3)]
    said = (
        f"graph.entries: a brief may cost {4 * one} micro-dollars (generate {one}, draft_0 {one}, "
        f"draft_1 {one}, draft_2 {one}), and one of this lane may cost 2000000; lower what they "
        "may use, leave one out, or raise the cap"
    )
    file = tmp_path / "lanes.toml"
    row = {"name": "music", "title": "Music", "bundle": SPECS, "graph": {"entries": entries}}
    file.write_text(write_lanes([row]))

    with pytest.raises(ContractError) as refused:
        save_graph(lane, entries)
    assert str(refused.value) == said
    with pytest.raises(CommandError) as in_file:
        call_command("load_lanes", file)
    assert str(in_file.value) == f"{file}: lane music: {said}"
    assert (LaneGraph.objects.count(), Lane.objects.count()) == (0, 1)

    Cap.objects.filter(scope="brief").update(cap_micros=4 * one)
    assert save_graph(lane, entries) == 1


def test_options_that_may_cost_more_are_refused_and_a_lanes_own_cap_counts(lane: Lane) -> None:
    one = worst_case(GenerateOptions())
    Cap.objects.create(scope="brief", name="news", cap_micros=one - 1)

    with pytest.raises(ContractError) as refused:
        save_options(lane, {"ground": {"passes": 2}})
    assert refused.value.path == "options"
    assert f"one of this lane may cost {one - 1};" in refused.value.message
    assert LaneOptions.objects.count() == 0
    assert save_options(make_lane("dev"), {"ground": {"passes": 2}}) == 1


def test_a_cap_that_was_lowered_is_told_by_the_check_and_closes_no_lane(lane: Lane) -> None:
    save_graph(lane, research())
    Cap.objects.filter(scope="brief").update(cap_micros=1)

    (found,) = run_checks(databases=["default"])
    assert found.msg.startswith("lane news: graph.entries: a brief may cost ")
    assert plan_for(Lane.objects.get()).lane == lane


def test_a_model_without_a_price_is_refused_where_it_was_set(lane: Lane) -> None:
    entries = research(generate={"options": {"model": "claude-of-tomorrow"}})
    for act, path in (
        (lambda: save_options(lane, {"generate": {"model": "claude-of-tomorrow"}}),
         "options.generate"),
        (lambda: save_graph(lane, entries), "graph.entries[3].options"),
    ):  # fmt: skip
        with pytest.raises(ContractError, match="claude-of-tomorrow") as refused:
            act()
        assert refused.value.path == path
    assert (LaneGraph.objects.count(), LaneOptions.objects.count()) == (0, 0)


def test_without_a_key_nothing_is_bounded_because_nothing_can_be_paid(
    lane: Lane, settings: Settings
) -> None:
    settings.ANTHROPIC_API_KEY = ""
    Cap.objects.all().delete()
    Price.objects.all().delete()
    assert save_graph(lane, research()) == 1
