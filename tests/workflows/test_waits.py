"""Entries that wait: sleeps end on the database's clock, events come early, late or not at all."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from tests.trial.stages import ENTRIES
from tests.workflows.conftest import Trial, is_in, run_to_end, standing_drain, wait_until
from workflows import faults, verbs
from workflows.errors import EventError, PayloadError, UnknownInstanceError, VerbRefusedError
from workflows.events import send_event
from workflows.models import Event, Instance, Status

WAIT: dict[str, Any] = {"wait": "approval", "name": "review"}
WITH_WAIT = [ENTRIES[0], WAIT, *ENTRIES[1:]]
SLEEP: dict[str, Any] = {"sleep": 3600, "name": "pause"}
WITH_SLEEP = [ENTRIES[0], SLEEP, *ENTRIES[1:]]


def send(instance: Instance, kind: str = "approval", payload: Any = None, **more: Any) -> bool:
    return send_event(str(instance.instance_id), kind, payload, sender="ann", **more)


def record_of(instance: Instance, entry: str) -> Any:
    return instance.records.get(entry=entry, superseded=False).output


def let_time_pass(instance: Instance) -> None:
    """Move the end of the wait that the instance stands at into the past."""
    past = timezone.now() - timedelta(seconds=1)
    Instance.objects.filter(pk=instance.pk).update(deadline_at=past, due_at=past, wake_at=past)


def test_a_sleep_holds_no_worker_and_ends_when_its_time_is_over(trial: Trial) -> None:
    instance = trial.create(key="x", entries=WITH_SLEEP)
    before = datetime.now(UTC)
    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))
        assert (instance.reason, instance.owner, instance.attempt) == ("sleep", None, 0)
        assert instance.deadline_at is not None
        assert instance.due_at == instance.deadline_at
        lasts = instance.deadline_at - before
        assert timedelta(seconds=3600) < lasts < timedelta(seconds=3660)
        let_time_pass(instance)
        wait_until(lambda: is_in(instance, Status.COMPLETE))

    assert record_of(instance, "pause") == {"slept_seconds": 3600}
    assert trial.marks() == ["x first 1", "x second 1", "x third 1"]


def test_a_sleep_that_a_worker_looks_at_too_early_keeps_its_first_end(trial: Trial) -> None:
    instance = trial.create(entries=WITH_SLEEP)
    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))
        end, fence = instance.deadline_at, instance.fence
        Instance.objects.filter(pk=instance.pk).update(due_at=timezone.now())
        wait_until(lambda: is_in(instance, Status.WAITING) and instance.fence > fence)

    assert (instance.deadline_at, instance.due_at) == (end, end)


def test_an_event_ends_the_wait_and_is_recorded_with_it(trial: Trial) -> None:
    instance = trial.create(entries=WITH_WAIT)
    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))
        assert (instance.reason, instance.owner) == ("event", None)
        assert send(instance, payload={"revision": 3})
        wait_until(lambda: is_in(instance, Status.COMPLETE))

    event = instance.events.get()
    assert event.taken_at is not None
    assert record_of(instance, "review") == {
        "event": {
            "type": "approval",
            "payload": {"revision": 3},
            "sender": "ann",
            "sent_at": event.sent_at.isoformat(),
        }
    }


def test_an_event_that_comes_early_is_kept_for_its_wait(trial: Trial) -> None:
    instance = trial.create(entries=WITH_WAIT)
    send(instance, payload=1)

    run_to_end(instance)

    assert instance.status == Status.COMPLETE
    assert record_of(instance, "review")["event"]["payload"] == 1
    assert not instance.log.filter(kind="waiting").exists()


def test_of_several_events_of_a_type_each_wait_takes_the_first_one_left(trial: Trial) -> None:
    again = {"wait": "approval", "name": "again"}
    instance = trial.create(entries=[*WITH_WAIT, again])
    for number in range(3):
        send(instance, payload=number)
    send(instance, "other", payload="not asked for")

    run_to_end(instance)

    assert record_of(instance, "review")["event"]["payload"] == 0
    assert record_of(instance, "again")["event"]["payload"] == 1
    left = instance.events.filter(taken_at=None).order_by("id")
    assert list(left.values_list("type", "payload")) == [
        ("approval", 2),
        ("other", "not asked for"),
    ]


def test_an_event_of_another_type_ends_nothing(trial: Trial) -> None:
    instance = trial.create(entries=WITH_WAIT)
    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))
        fence = instance.fence
        send(instance, "other")
        wait_until(lambda: is_in(instance, Status.WAITING) and instance.fence > fence)

    assert (instance.reason, instance.position) == ("event", 1)


def test_an_event_belongs_to_the_generation_that_it_was_sent_to(trial: Trial) -> None:
    instance = trial.create(entries=WITH_WAIT)
    send(instance, payload="for the old text")
    verbs.restart(str(instance.instance_id), actor="ann", generation=1)

    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))
        assert instance.reason == "event"
        send(instance, payload="for the new text")
        wait_until(lambda: is_in(instance, Status.COMPLETE))

    assert record_of(instance, "review")["event"]["payload"] == "for the new text"
    assert instance.events.get(generation=1).taken_at is None


def test_an_event_for_a_generation_that_is_over_is_refused(trial: Trial) -> None:
    instance = trial.create(entries=WITH_WAIT)
    verbs.restart(str(instance.instance_id), actor="ann", generation=1)

    with pytest.raises(VerbRefusedError, match="is in generation 2, not 1; nothing was sent"):
        send(instance, generation=1)

    assert Event.objects.count() == 0


def test_an_event_that_is_sent_while_its_waiter_parks_is_never_lost(trial: Trial) -> None:
    """The driver has looked and found nothing; the event is sent just before it parks."""
    instance = trial.create(entries=WITH_WAIT)
    sent: list[bool] = []

    def send_in_between(point: str, moment: str) -> None:
        if (point, moment) == ("checkpoints.await", "before") and not sent:
            sent.append(send(instance))
            connections.close_all()

    faults.arm(send_in_between)
    with standing_drain(), ExitStack() as stack:
        stack.callback(faults.arm, None)
        wait_until(lambda: is_in(instance, Status.COMPLETE))

    assert sent == [True]


@pytest.mark.parametrize(
    ("on_timeout", "status"), [("error", Status.ERRORED), ("continue", Status.COMPLETE)]
)
def test_a_wait_without_its_event_ends_as_its_entry_says(
    on_timeout: str, status: int, trial: Trial
) -> None:
    wait = WAIT | {"timeout": 3600, "on_timeout": on_timeout}
    instance = trial.create(entries=[ENTRIES[0], wait, *ENTRIES[1:]])
    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))
        assert instance.due_at == instance.deadline_at
        let_time_pass(instance)
        wait_until(lambda: is_in(instance, status))

    if status == Status.COMPLETE:
        assert record_of(instance, "review") == {"event": None}
    else:
        assert instance.error == {
            "type": "WaitTimedOutError",
            "message": "review: no event approval came in time; retry waits for it again",
        }


def test_a_wait_that_timed_out_waits_again_after_a_retry(trial: Trial) -> None:
    instance = trial.create(entries=[ENTRIES[0], WAIT | {"timeout": 3600}, *ENTRIES[1:]])
    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))
        let_time_pass(instance)
        wait_until(lambda: is_in(instance, Status.ERRORED))
        verbs.retry(str(instance.instance_id), actor="ann")
        wait_until(lambda: is_in(instance, Status.WAITING) and instance.reason == "event")
        send(instance)
        wait_until(lambda: is_in(instance, Status.COMPLETE))


def test_an_event_that_came_in_time_counts_also_after_the_timeout(trial: Trial) -> None:
    wait = WAIT | {"timeout": 3600}
    instance = trial.create(entries=[ENTRIES[0], wait, *ENTRIES[1:]])
    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))
    send(instance)
    let_time_pass(instance)

    run_to_end(instance)

    assert instance.status == Status.COMPLETE


def test_a_wait_without_timeout_waits_for_ever(trial: Trial) -> None:
    instance = trial.create(entries=[ENTRIES[0], WAIT | {"timeout": None}, *ENTRIES[1:]])
    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))

    assert (instance.due_at, instance.deadline_at) == (None, None)


def test_an_event_that_comes_during_a_pause_is_found_after_it(trial: Trial) -> None:
    instance = trial.create(entries=WITH_WAIT)
    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))
        verbs.pause(str(instance.instance_id), actor="ann")
        send(instance)
        assert is_in(instance, Status.PAUSED)
        verbs.resume(str(instance.instance_id), actor="ann")
        wait_until(lambda: is_in(instance, Status.COMPLETE))


def test_a_key_sends_an_event_once(trial: Trial) -> None:
    instance = trial.create(entries=WITH_WAIT)

    assert send(instance, key="click-1")
    assert not send(instance, key="click-1")
    assert send(instance, key="click-2")

    assert instance.events.count() == 2


@pytest.mark.parametrize("kind", ["", "two words", "a" * 101, "-a", "ä", "a\n"])
def test_an_event_type_of_other_characters_is_refused(kind: str, trial: Trial) -> None:
    instance = trial.create(entries=WITH_WAIT)

    with pytest.raises(EventError, match="is no event type"):
        send(instance, kind)

    assert Event.objects.count() == 0


@pytest.mark.parametrize(
    "payload",
    [float("nan"), "\x00", "\ud800", object(), "x" * 1024 * 1024, {1: {2: float("inf")}}],
    ids=["NaN", "NUL", "surrogate", "object", "1 MiB and quotes", "infinite"],
)
def test_an_event_payload_that_cannot_be_stored_is_refused(payload: Any, trial: Trial) -> None:
    instance = trial.create(entries=WITH_WAIT)

    with pytest.raises(PayloadError, match=f"payload of event approval for {instance}"):
        send(instance, payload=payload)

    instance.refresh_from_db()
    assert (Event.objects.count(), instance.inbox) == (0, 0)


@pytest.mark.django_db
def test_an_event_for_nobody_is_refused() -> None:
    with pytest.raises(UnknownInstanceError, match="trial-nobody"):
        send_event("trial-nobody", "approval", sender="ann")


@pytest.mark.parametrize("at", ["2026-11-23T10:00:00", "tomorrow", 5])
def test_a_moment_without_its_zone_ends_the_instance_by_its_path(at: Any, trial: Trial) -> None:
    until = {"name": "pause", "until": "/when"}
    instance = trial.create(entries=[until, *ENTRIES], when=at)

    run_to_end(instance)

    assert instance.status == Status.ERRORED
    error: Any = instance.error
    assert error["message"].startswith("envelope/when: is")
    assert trial.marks() == []
