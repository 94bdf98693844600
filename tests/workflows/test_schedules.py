"""A schedule starts its workflow once for each time, whoever looks, and however often."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from tests.trial.stages import ENTRIES
from tests.workflows.conftest import Trial, run_to_end
from workflows.errors import ScheduleError
from workflows.models import Instance, Schedule, Status
from workflows.registry import all_workflows
from workflows.schedules import next_time, save_schedule, start_due


def hourly(trial: Trial, **more: Any) -> Schedule:
    given: dict[str, Any] = {
        "workflow": "trial",
        "cron": "0 * * * *",
        "entries": ENTRIES,
        "envelope": {"marks": str(trial.path)},
    }
    return save_schedule("hourly", **given | more)


def make_due(schedule: Schedule, at: datetime) -> None:
    Schedule.objects.filter(pk=schedule.pk).update(next_at=at)


def test_what_is_due_is_started_with_its_time_in_its_id_and_the_next_time_set(
    trial: Trial,
) -> None:
    schedule = hourly(trial)
    at = timezone.now().replace(minute=0, second=0, microsecond=0)
    make_due(schedule, at)

    assert start_due() == 1
    assert start_due() == 0

    instance = Instance.objects.get()
    assert instance.instance_id == f"trial-hourly-{at:%Y%m%dT%H%MZ}"
    assert (instance.trigger, instance.partition) == ("schedule", "trial")
    assert instance.envelope.data == {"marks": str(trial.path), "scheduled_at": at.isoformat()}
    schedule.refresh_from_db()
    assert (schedule.last_at, schedule.next_at) == (at, at + timedelta(hours=1))


def test_any_number_of_hosts_start_it_once(trial: Trial) -> None:
    make_due(hourly(trial), timezone.now() - timedelta(minutes=1))
    gate = threading.Barrier(8)
    started: list[int] = []

    def look() -> None:
        gate.wait()
        started.append(start_due())
        connections.close_all()

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(started) == [0] * 7 + [1]
    assert Instance.objects.count() == 1


def test_of_the_times_that_were_missed_the_last_one_is_made_up_for(trial: Trial) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    make_due(hourly(trial), hour - timedelta(hours=30))

    assert start_due() == 1
    assert start_due() == 0

    assert Instance.objects.get().key == f"hourly-{hour:%Y%m%dT%H%MZ}"


def test_what_is_off_starts_nothing(trial: Trial) -> None:
    make_due(hourly(trial, is_on=False), timezone.now() - timedelta(minutes=1))

    assert start_due() == 0
    assert Instance.objects.count() == 0


def test_a_schedule_whose_graph_no_longer_fits_stops_nobody_else(
    trial: Trial, caplog: pytest.LogCaptureFixture
) -> None:
    make_due(hourly(trial), timezone.now() - timedelta(minutes=1))
    Schedule.objects.create(
        name="broken", workflow="trial", cron="0 * * * *", partition="p",
        entries=[{"step": "gone"}], next_at=timezone.now() - timedelta(minutes=2),
    )  # fmt: skip

    assert start_due() == 1

    assert "schedule broken starts nothing: gone: no step has this name" in caplog.text
    assert Instance.objects.get().key.startswith("hourly-")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cron": "61 * * * *"}, "no cron line"),
        ({"cron": "0 0 31 2 *"}, "no cron line"),
        ({"cron": ""}, "no cron line"),
        ({"workflow": "nothing"}, "there are bulk, "),
        ({"workflow": "publish"}, "publish is never started by the clock"),
        ({"entries": [{"step": "gone"}]}, "no step has this name"),
        ({"entries": []}, "1 to 100 entries"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused_and_the_old_one_stays(
    change: dict[str, Any], words: str, trial: Trial
) -> None:
    before = hourly(trial)

    with pytest.raises(ScheduleError, match=words):
        hourly(trial, **change)

    after = Schedule.objects.get(name="hourly")
    assert (after.cron, after.workflow, after.entries) == (before.cron, "trial", ENTRIES)


def test_times_are_utc_whatever_the_zone_of_the_question() -> None:
    asked = datetime(2026, 11, 23, 4, 0, tzinfo=UTC).astimezone()

    assert next_time("15 3 * * *", after=asked) == datetime(2026, 11, 24, 3, 15, tzinfo=UTC)


@pytest.mark.django_db
def test_pruning_is_scheduled_from_the_start_and_runs(trial: Trial) -> None:
    save_schedule("nightly", workflow="prune", cron="15 3 * * *", entries=[{"step": "prune_ended"}])
    make_due(Schedule.objects.get(name="nightly"), timezone.now() - timedelta(minutes=1))

    start_due()
    instance = Instance.objects.get(workflow="prune")
    run_to_end(instance)

    assert instance.status == Status.COMPLETE
    pruned = instance.records.get().output["pruned"]
    assert pruned == {workflow.name: 0 for workflow in all_workflows()}
