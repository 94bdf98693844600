"""A graph is proved before anything runs; what does not fit is named by its path."""

from typing import Any

import pytest

from tests.trial.stages import ENTRIES, First, Second
from workflows.errors import ContractError
from workflows.graphs import StepEntry, load_plan, prove_graph, store_graph
from workflows.models import StepGraph


def test_each_input_comes_from_the_latest_earlier_entry_of_its_type() -> None:
    again = [*ENTRIES[:2], {"step": "trial_second", "name": "again"}, ENTRIES[2]]

    plan = prove_graph(again, workflow="trial")

    assert [entry.name for entry in plan.entries] == [
        "trial_first",
        "trial_second",
        "again",
        "trial_third",
    ]
    wiring = [entry.wiring for entry in plan.entries if isinstance(entry, StepEntry)]
    assert wiring[1:] == [
        {"order": None, "said": 0},
        {"order": None, "said": 0},
        {"order": None, "said": 2},
    ]


@pytest.mark.parametrize(
    ("entries", "path", "words"),
    [
        ([], "entries", "1 to 100 entries"),
        ([{"step": "trial_first"}] * 101, "entries", "1 to 100 entries"),
        ([{"step": "nowhere"}], "nowhere", "no step has this name"),
        ([{"stop": "trial_first"}], "entries[0]", "an entry has one of `step`, `wait`,"),
        ([ENTRIES[0] | {"wait": "x"}], "entries[0]", "an entry has one of `step`, `wait`,"),
        ([{"sleep": 0, "name": "s"}], "entries[0].sleep", "a number of seconds"),
        ([{"sleep": True, "name": "s"}], "entries[0].sleep", "a number of seconds"),
        ([{"sleep": "1h", "name": "s"}], "entries[0].sleep", "a number of seconds"),
        ([{"sleep": 366 * 86400, "name": "s"}], "entries[0].sleep", "at most 365 days"),
        ([{"sleep": 1}], "entries[0].name", "a-z"),
        ([{"wait": "two words"}], "entries[0].wait", "an event type"),
        ([{"wait": 5}], "entries[0].wait", "an event type"),
        ([{"wait": "x", "timeout": -1}], "entries[0].timeout", "a number of seconds"),
        ([{"wait": "x", "on_timeout": "stop"}], "entries[0].on_timeout", "`error` or `continue`"),
        ([{"wait": "x", "policy": {}}], "entries[0].policy", "is unknown"),
        ([ENTRIES[0] | {"policy": {"retries": -1}}], "entries[0].policy.retries", "greater than"),
        ([ENTRIES[0] | {"policy": {"tries": 1}}], "entries[0].policy.tries", "not permitted"),
        ([ENTRIES[0] | {"policy": {"backoff": "no"}}], "entries[0].policy.backoff", "constant"),
        (
            [ENTRIES[0] | {"policy": {"timeout_seconds": 0}}],
            "entries[0].policy.timeout_seconds",
            "greater than 0",
        ),
        ([{"step": "trial_second"}], "entries[0].said", "takes First"),
        ([ENTRIES[1], ENTRIES[0]], "entries[0].said", "takes First"),
        ([ENTRIES[0], ENTRIES[0]], "entries[1].name", "stands twice"),
        ([{"step": "trial_first", "optoins": {}}], "entries[0].optoins", "is unknown"),
        ([{"step": "trial_first", "options": {"a": 1}}], "entries[0].options", "has no options"),
        (
            [ENTRIES[0], {"step": "trial_second", "options": {"loud": "perhaps"}}],
            "entries[1].options.loud",
            "valid boolean",
        ),
        ([{"name": "pause", "until": "at"}], "entries[0].until", "JSON pointer"),
        ([{"until": "/at"}], "entries[0].name", "a-z"),
    ],
)
def test_what_does_not_fit_is_named(entries: list[dict[str, Any]], path: str, words: str) -> None:
    with pytest.raises(ContractError) as refused:
        prove_graph(entries, workflow="trial")

    assert refused.value.path == path
    assert words in refused.value.message


def test_an_unknown_workflow_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ContractError, match="there are bulk, "):
        prove_graph(ENTRIES, workflow="nothing")


@pytest.mark.django_db
def test_equal_graphs_are_one_row() -> None:
    first = store_graph(ENTRIES, workflow="trial")
    second = store_graph([dict(reversed(entry.items())) for entry in ENTRIES], workflow="trial")

    assert first.pk == second.pk
    assert StepGraph.objects.count() == 1
    assert load_plan(first.pk, "trial").position_of("trial_third") == 2


@pytest.mark.django_db
def test_a_graph_that_does_not_fit_is_not_stored() -> None:
    with pytest.raises(ContractError):
        store_graph([{"step": "trial_third"}], workflow="trial")

    assert not StepGraph.objects.exists()


def test_the_types_are_read_from_the_annotations() -> None:
    plan = prove_graph(ENTRIES, workflow="trial")

    assert [entry.output for entry in plan.step_entries][:2] == [First, Second]
    assert plan.step_entries[2].step.inputs["said"] is Second
