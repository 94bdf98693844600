"""Dispatch plans: the spine with a lane's own values and options."""

from typing import Any

import pytest

from lanes.models import Lane
from lanes.selection import LaneWithoutBundleError, compile_entries, plan_for
from lanes.spine import SPINE
from lanes.versions import read_specs, save_bundle, save_options
from workflows.errors import ContractError
from workflows.models import StepGraph


@pytest.fixture
def lane() -> Lane:
    made = Lane.objects.create(name="trial", title="Trial desk", hue=77)
    specs = {"voice": "Plain.", "audience": "Readers.", "brief_hints": "Short."}
    save_bundle(made, read_specs(specs))
    return made


def options_of(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    found = next(e for e in entries if e.get("name", e.get("step")) == name)
    options: dict[str, Any] = found.get("options", {})
    return options


@pytest.mark.django_db
def test_the_spine_is_filled_from_the_lanes_own_row(lane: Lane) -> None:
    assert options_of(compile_entries(lane), "cover") == {"hue": 77, "folio": "Trial desk"}


@pytest.mark.django_db
def test_options_change_only_their_own_entry(lane: Lane) -> None:
    save_options(lane, {"ground": {"passes": 2}})
    compiled = compile_entries(Lane.objects.get(pk=lane.pk))

    assert options_of(compiled, "ground")["passes"] == 2
    assert [e.get("name", e.get("step")) for e in compiled] == [
        e.get("name", e.get("step")) for e in SPINE if e.get("name") != "review"
    ]


@pytest.mark.django_db
def test_two_lanes_that_are_run_alike_share_one_graph(lane: Lane) -> None:
    twin = Lane.objects.create(name="twin", title="Trial desk", hue=77, bundle=lane.bundle)

    assert plan_for(lane).graph == plan_for(twin).graph
    assert StepGraph.objects.count() == 1


@pytest.mark.django_db
def test_a_lane_without_a_bundle_has_no_plan() -> None:
    bare = Lane.objects.create(name="bare", title="Bare")
    with pytest.raises(LaneWithoutBundleError, match="bare has no bundle in use"):
        plan_for(bare)
    assert StepGraph.objects.count() == 0


@pytest.mark.django_db
def test_clean_is_given_the_bundles_anti_patterns_that_have_a_pattern(lane: Lane) -> None:
    hype = {"text": "Hype.", "why": "It ages.", "severity": "flag", "pattern": r"\bhuge\b"}
    anti_patterns = [hype, {"text": "No jargon.", "why": "Nobody reads it."}]
    specs = {"voice": "Plain.", "audience": "Readers.", "brief_hints": "Short."}
    save_bundle(lane, read_specs(specs | {"anti_patterns": anti_patterns}))

    assert options_of(compile_entries(lane), "clean") == {"anti_patterns": [hype]}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("policy", "entries"),
    [
        ("never", []),
        ("always", [{"name": "review", "wait": "approval", "timeout": None}]),
        (
            "flagged",
            [{"name": "review", "wait": "approval", "timeout": None, "when": ["*/flags"]}],
        ),
    ],
)
def test_the_review_policy_of_a_lane_decides_what_waits_before_publish(
    lane: Lane, policy: str, entries: list[dict[str, Any]]
) -> None:
    save_options(lane, {"review": {"policy": policy}})

    compiled = plan_for(lane).graph.entries
    assert [e for e in compiled if "wait" in e] == entries
    names = [e.get("name", e.get("step")) for e in compiled]
    assert names[-2:] == ["publish_at", "publish"]
    assert "review" not in names or names[-3] == "review"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "path"),
    [({"policy": "mostly"}, "options.review.policy"), ({"by": "x"}, "options.review.by")],
)
def test_a_review_policy_that_is_none_is_refused(
    lane: Lane, options: dict[str, Any], path: str
) -> None:
    with pytest.raises(ContractError) as refused:
        save_options(lane, {"review": options})
    assert refused.value.path == path
    assert lane.options is None
