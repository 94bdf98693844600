"""A wait with `when` waits only if a field of an earlier output says so."""

from typing import Any

import pytest

from tests.trial.stages import ENTRIES
from tests.workflows.conftest import Trial, run_to_end
from workflows.conditions import prove_conditions
from workflows.contracts import Contract
from workflows.drift import find_drift
from workflows.errors import ContractError
from workflows.events import send_event
from workflows.graphs import WaitEntry, outputs_read, prove_graph
from workflows.models import Status, StepRecord
from workflows.testing import Sent, run_graph
from workflows.verbs import replace_output


class Flag(Contract):
    """A reason to look."""

    words: str = ""


class Draft(Contract):
    """An output with flags, perhaps, and a contract within it."""

    flags: list[str] = []
    flag: Flag = Flag()
    count: int = 0


class Note(Contract):
    """Another output with flags."""

    flags: list[str] = []


def graph(when: Any) -> list[dict[str, Any]]:
    """The trial's graph with a wait before its last step."""
    wait = {"wait": "approval", "name": "review", "timeout": None, "when": when}
    return [*ENTRIES[:2], wait, ENTRIES[2]]


def test_a_reference_reads_every_earlier_output_of_its_contract() -> None:
    earlier = [Draft, None, Note, Draft, Note]
    (drafts,) = prove_conditions("Draft/flags", path="when", earlier=earlier)
    (all_of_them,) = prove_conditions(["*/flags"], path="when", earlier=earlier)
    (nested,) = prove_conditions("*/flag/words", path="when", earlier=earlier)

    assert drafts.outputs == ((0, Draft), (3, Draft))
    assert all_of_them.outputs == ((0, Draft), (2, Note), (3, Draft), (4, Note))
    assert (nested.outputs, nested.fields) == (((0, Draft), (3, Draft)), ("flag", "words"))


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("", "is `Contract/field`"),
        ("First", "is `Contract/field`"),
        ("First/", "is `Contract/field`"),
        ("/said", "is `Contract/field`"),
        ([], "is `Contract/field`"),
        ([3], "is `Contract/field`"),
        ({"First": "said"}, "is `Contract/field`"),
        (None, "is `Contract/field`"),
        ("Nothing/said", "no step returns Nothing; the entries before it return First, Second"),
        ("Third/said", "no earlier entry returns Third; put one before it that does: trial_third"),
        ("First/told", "First has no field 'told'; there are said"),
        ("First/said/more", "str has no field 'more'; there are none: it is no contract"),
        (["First/said", "First/told"], "First has no field 'told'"),
        ("*/told", "no earlier entry returns a field 'told'; the entries before it return First"),
    ],
)
def test_a_reference_that_fits_nothing_is_refused_with_what_would(when: Any, words: str) -> None:
    with pytest.raises(ContractError) as refused:
        prove_graph(graph(when), workflow="trial")
    assert refused.value.path == "entries[2].when"
    assert words in refused.value.message


@pytest.mark.parametrize("kind", [{"sleep": 1}, {"until": "/at"}, {"step": "trial_first"}])
def test_only_a_wait_has_a_condition(kind: dict[str, Any]) -> None:
    entry = kind | {"name": "x", "when": "First/said"}
    with pytest.raises(ContractError) as refused:
        prove_graph([ENTRIES[0], entry], workflow="trial")
    assert refused.value.path == "entries[1].when"


def test_a_plan_tells_what_its_wait_reads() -> None:
    plan = prove_graph(graph(["First/said", "*/said"]), workflow="trial")
    wait = plan.entries[2]
    assert isinstance(wait, WaitEntry)
    assert [position for position, _ in outputs_read(wait)] == [0, 0, 1]


@pytest.mark.django_db(transaction=True)
class TestRun:
    """Through the engine, by the test kit and by drains."""

    def test_where_the_field_says_something_it_waits(self, tmp_path: Any) -> None:
        ran = run_graph(
            graph("First/said"), workflow="trial", envelope={"marks": str(tmp_path / "m")}
        )
        assert (ran.status, ran.reason) == (Status.WAITING, "event")

        again = run_graph(
            graph(["First/said"]),
            workflow="trial",
            envelope={"marks": str(tmp_path / "n")},
            events=[Sent("approval", "yes")],
        )
        assert again.status == Status.COMPLETE
        assert again.records["review"]["event"]["payload"] == "yes"

    def test_where_all_are_empty_it_is_passed_at_once_with_why(self, trial: Trial) -> None:
        instance = trial.create(entries=graph(["First/said", "*/said"]))
        _empty(instance.pk, trial)

        assert instance.records.get(entry="review").output == {
            "event": None,
            "passed": "nothing in First/said, */said of trial_first, trial_second",
        }

    def test_a_worker_that_takes_over_at_the_wait_reads_what_it_asks(self, trial: Trial) -> None:
        instance = trial.create(entries=graph("First/said"))
        run_to_end(instance)
        instance.refresh_from_db()
        assert instance.status == Status.WAITING

        replace_output(str(instance.instance_id), "trial_first", {"said": ""}, actor="olga")
        send_event(str(instance.instance_id), "approval", sender="ann")
        run_to_end(instance)

        output = instance.records.get(entry="review").output
        assert output == {"event": None, "passed": "nothing in First/said of trial_first"}
        assert instance.events.get().taken_at is None

    def test_an_output_that_drifted_from_what_the_wait_reads_is_found(self, trial: Trial) -> None:
        instance = trial.create(entries=graph("First/said"))
        run_to_end(instance)
        StepRecord.objects.filter(instance=instance, entry="trial_first").update(
            output={"sad": ""}, drain=None
        )

        assert [(one.path, one.count) for one in find_drift()] == [("trial_first.said", 1)]


def _empty(pk: int, trial: Trial) -> None:
    """Run to the wait, empty what it reads, and have a worker look again."""
    from workflows.models import Instance

    instance = Instance.objects.get(pk=pk)
    run_to_end(instance)
    for entry in ("trial_first", "trial_second"):
        replace_output(str(instance.instance_id), entry, {"said": ""}, actor="olga")
    send_event(str(instance.instance_id), "nudge", sender="ann")
    run_to_end(instance)
