"""The engine in numbers: each is exact, and a series is there before its first event."""

from collections.abc import Mapping
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from tests.workflows.conftest import Trial, run_to_end, trial
from tests.workflows.test_health import HOUR, drain, own, waited
from workflows.metrics import render
from workflows.models import Drain, Instance, Reason, Status, Tally
from workflows.statements import execute
from workflows.statements.drains import FORGET_OLD

__all__ = ["trial"]
pytestmark = pytest.mark.django_db(transaction=True)


def samples() -> dict[str, float]:
    """Return every sample by its name and labels' values."""
    text, _ = render()
    return {
        " ".join([sample.name, *_labels(sample.labels)]): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def _labels(given: Mapping[str, str]) -> list[str]:
    return [given[name] for name in ("state", "reason", "outcome") if given.get(name)]


def test_open_instances_are_counted_by_state_and_reason(trial: Trial) -> None:
    states = {
        (Status.QUEUED, None): 3,
        (Status.WAITING, Reason.EVENT): 2,
        (Status.ERRORED, None): 1,
        (Status.COMPLETE, None): 4,
    }
    for (status, reason), count in states.items():
        for _ in range(count):
            pk = trial.create().pk
            Instance.objects.filter(pk=pk).update(status=status, reason=reason)

    counted = {name: value for name, value in samples().items() if "_instances" in name}
    assert counted == {
        "workflows_instances queued": 3,
        "workflows_instances running": 0,
        "workflows_instances paused": 0,
        "workflows_instances errored": 1,
        "workflows_instances waiting retry": 0,
        "workflows_instances waiting sleep": 0,
        "workflows_instances waiting event": 2,
        "workflows_instances waiting budget": 0,
        "workflows_instances waiting busy": 0,
        "workflows_instances waiting call": 0,
        "workflows_instances waiting code": 0,
        "workflows_instances waiting operator": 0,
    }


def test_without_any_row_every_series_is_there_and_nought() -> None:
    found = samples()
    assert set(found.values()) == {0}
    assert [name for name in found if "attempts" in name] == [
        "workflows_attempts_total recorded",
        "workflows_attempts_total failed",
        "workflows_attempts_total timed_out",
        "workflows_attempts_total lost",
        "workflows_attempts_total interrupted",
        "workflows_attempts_total parked",
    ]


def test_attempts_of_all_drains_and_of_forgotten_ones_add_up() -> None:
    drain(counts={"recorded": 5, "failed": 1, "abandoned": 1})
    drain(counts={"recorded": 7, "timed out": 2, "abandoned": 2}, ended_at=timezone.now())
    drain(counts={"recorded": 11}, ended_at=timezone.now() - 24 * 8 * HOUR)
    Tally.objects.create(name="recorded", value=100)
    Tally.objects.create(name="lost", value=4)
    Tally.objects.create(name="leases_lost", value=3)
    before = samples()
    execute(FORGET_OLD, {})

    assert Drain.objects.count() == 2
    assert samples() == before
    assert before["workflows_attempts_total recorded"] == 123
    assert before["workflows_attempts_total failed"] == 1
    assert before["workflows_attempts_total timed_out"] == 2
    assert before["workflows_attempts_total lost"] == 4
    assert before["workflows_leases_lost_total"] == 3
    assert before["workflows_threads_abandoned_total"] == 3


def test_drains_slots_and_running_are_those_that_live(trial: Trial) -> None:
    own(trial.create(), drain(threads=16))
    drain(threads=4, leaving=True)
    own(trial.create(), drain(threads=64, lease=-HOUR))
    drain(threads=64, ended_at=timezone.now())
    found = samples()

    assert found["workflows_drains beating"] == 1
    assert found["workflows_drains leaving"] == 1
    assert found["workflows_drains lapsed"] == 1
    assert found["workflows_slots"] == 20
    assert found["workflows_running"] == 1


def test_the_queue_has_an_age_and_a_length(trial: Trial) -> None:
    waited(trial.create(), 600)
    waited(trial.create(), -600)
    found = samples()

    assert found["workflows_queue_age_seconds"] == pytest.approx(600, abs=30)
    assert found["workflows_due"] == 1


def test_what_a_real_drain_did_is_counted(trial: Trial) -> None:
    run_to_end(trial.create(), trial.create(fail_times=1))
    found = samples()

    assert found["workflows_attempts_total recorded"] == 6
    assert found["workflows_attempts_total failed"] == 1


def test_the_command_prints_the_same_text() -> None:
    out = StringIO()
    call_command("metrics", stdout=out)
    assert out.getvalue().startswith("# HELP workflows_instances Instances that are not complete")
    assert out.getvalue() == render()[0].decode()


def test_the_media_type_is_what_the_reader_understands() -> None:
    assert render()[1] == "text/plain; version=0.0.4; charset=utf-8"
    text, media_type = render("application/openmetrics-text;version=1.0.0")
    assert media_type.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert text.endswith(b"# EOF\n")
