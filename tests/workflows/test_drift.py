"""The gate before a deploy: it names the open instances that this code cannot finish."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from tests.workflows.conftest import Trial
from workflows.drift import Drift, find_drift
from workflows.models import Envelope, Instance, StepGraph, StepRecord


def recorded_by_other_code(instance: Instance, **output: object) -> None:
    """Let the instance's first output be what other code would have written."""
    record = StepRecord.objects.filter(instance=instance, entry="trial_first")
    record.update(output=output, drain=None)


def test_instances_that_fit_pass(trial: Trial) -> None:
    trial.stand_in("waiting: sleep")
    trial.stand_in("queued")

    assert find_drift() == []


def test_a_recorded_output_that_no_longer_fits_is_named_by_path_and_grouped(trial: Trial) -> None:
    instances = [trial.stand_in("waiting: operator") for _ in range(4)]
    for instance in instances:
        recorded_by_other_code(instance, said=5)

    assert find_drift() == [
        Drift(
            workflow="trial",
            path="trial_first.said",
            message="does not fit First: Input should be a valid string",
            count=4,
            examples=tuple(sorted(str(instance.instance_id) for instance in instances)[:3]),
        )
    ]


def test_an_output_that_nobody_reads_any_more_is_not_asked_for(trial: Trial) -> None:
    instance = trial.stand_in("waiting: operator")
    recorded_by_other_code(instance, gone="x")
    Instance.objects.filter(pk=instance.pk).update(position=2)

    assert find_drift() == []


def test_what_has_ended_is_not_asked_for(trial: Trial) -> None:
    for state in ("complete", "terminated", "errored"):
        recorded_by_other_code(trial.stand_in(state), gone="x")

    assert find_drift() == []


def test_a_step_that_this_code_does_not_have_is_named(trial: Trial) -> None:
    instance = trial.stand_in("queued")
    StepGraph.objects.filter(pk=instance.graph_id).update(entries=[{"step": "of_tomorrow"}])

    (drift,) = find_drift()

    assert (drift.path, drift.count) == ("of_tomorrow", 1)
    assert drift.message.startswith("no step has this name; there are")


def test_an_envelope_that_no_longer_fits_is_named_by_path(trial: Trial) -> None:
    instance = trial.stand_in("queued")
    Envelope.objects.filter(pk=instance.pk).update(data={"fail_times": 1})

    (drift,) = find_drift()

    assert (drift.path, drift.message) == ("envelope.marks", "does not fit Order: Field required")


def test_no_value_of_an_output_is_ever_shown(trial: Trial) -> None:
    recorded_by_other_code(trial.stand_in("waiting: operator"), said=["the secret"])

    (drift,) = find_drift()

    assert "secret" not in drift.message


def test_the_command_ends_0_when_all_fit_and_1_when_not(trial: Trial) -> None:
    instance, out, err = trial.stand_in("waiting: operator"), StringIO(), StringIO()
    call_command("check_instances", stdout=out)
    assert out.getvalue() == "Every open instance can be finished by this code.\n"

    recorded_by_other_code(instance, said=5)
    with pytest.raises(SystemExit) as ended:
        call_command("check_instances", json=True, stdout=out, stderr=err)

    assert ended.value.code == 1
    told = json.loads(out.getvalue().splitlines()[1])
    assert [each["path"] for each in told] == ["trial_first.said"]
    assert "replace-output" in err.getvalue()
