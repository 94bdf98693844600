"""Each verb does what it says, is refused with the state named, and is safe twice at once."""

import threading
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connections
from django.utils import timezone

from tests.workflows.conftest import Trial, is_in, run_to_end, standing_drain, wait_until
from workflows import verbs
from workflows.errors import ContractError, UnknownInstanceError, VerbRefusedError
from workflows.events import send_event
from workflows.models import Envelope, Instance, Status

VERBS = ["retry", "pause", "resume", "terminate", "restart"]


def test_a_failed_step_is_retried_with_its_whole_policy_and_finished_steps_stay(
    trial: Trial,
) -> None:
    instance = trial.create(key="x", fail_times=4)
    run_to_end(instance)
    assert instance.status == Status.ERRORED

    verbs.retry(instance.instance_id, actor="ann", why="the page is back")
    run_to_end(instance)

    assert instance.status == Status.COMPLETE
    assert trial.marks().count("x first 1") == 1
    assert list(instance.attempts.order_by("id").values_list("number", flat=True)) == [1, 2, 3, 4]
    entry = instance.log.get(kind="retry")
    assert (entry.actor, entry.why) == ("ann", "the page is back")


def test_a_restart_from_an_entry_keeps_what_came_before_and_all_history(trial: Trial) -> None:
    instance = trial.create(key="x")
    run_to_end(instance)

    verbs.restart(instance.instance_id, actor="ann", generation=1, entry="trial_second")
    run_to_end(instance)

    assert (instance.status, instance.generation) == (Status.COMPLETE, 2)
    assert trial.marks().count("x first 1") == 1
    assert trial.marks()[-2:] == ["x second 2", "x third 2"]
    assert instance.records.filter(superseded=True).count() == 2
    assert instance.records.filter(superseded=False).count() == 3
    assert sorted(Group.objects.values_list("name", flat=True)) == ["x 1 1", "x 2 1"]


def test_a_whole_restart_runs_every_entry_again(trial: Trial) -> None:
    instance = trial.create(key="x")
    run_to_end(instance)

    verbs.restart(instance.instance_id, actor="ann", generation=1)
    run_to_end(instance)

    assert trial.marks()[3:] == ["x first 2", "x second 2", "x third 2"]


def test_a_restart_from_an_unknown_entry_names_those_that_exist(trial: Trial) -> None:
    instance = trial.create()

    with pytest.raises(ContractError, match="there are trial_first, trial_second, trial_third"):
        verbs.restart(instance.instance_id, actor="ann", generation=1, entry="forth")

    instance.refresh_from_db()
    assert instance.generation == 1


def test_a_restart_from_an_entry_that_was_not_reached_is_refused(trial: Trial) -> None:
    instance = trial.create()

    with pytest.raises(VerbRefusedError, match="not reached"):
        verbs.restart(instance.instance_id, actor="ann", generation=1, entry="trial_third")

    assert not instance.log.filter(kind="restart").exists()


def test_a_terminated_instance_runs_no_further(trial: Trial) -> None:
    instance, other = trial.create(key="ended"), trial.create(key="other")

    verbs.terminate(instance.instance_id, actor="ann", why="not wanted")
    run_to_end(other)

    instance.refresh_from_db()
    assert (instance.status, instance.due_at) == (Status.TERMINATED, None)
    assert trial.marks() == ["other first 1", "other second 1", "other third 1"]


@pytest.mark.parametrize("name", [*VERBS, "replace_output"])
@pytest.mark.django_db
def test_an_unknown_id_is_named(name: str) -> None:
    with pytest.raises(UnknownInstanceError, match="trial-nobody"):
        send(name, "trial-nobody")


def send(name: str, instance_id: str) -> bool:
    """Send a verb as somebody does who saw the first generation."""
    if name == "restart":
        return verbs.restart(instance_id, actor="ann", generation=1)
    if name == "replace_output":
        return verbs.replace_output(instance_id, "trial_first", {"said": "y"}, actor="ann")
    changed: bool = getattr(verbs, name)(instance_id, actor="ann")
    return changed


# What each verb does in each state: changes, is so already, or is refused in these words.
CHANGES, ALREADY = "changes", "is so already"
TABLE = {
    ("retry", "queued"): "has nothing to retry",
    ("retry", "running"): "has nothing to retry",
    ("retry", "waiting: retry"): CHANGES,
    ("retry", "waiting: sleep"): "sleeps until its moment",
    ("retry", "waiting: event"): "waits for an event",
    ("retry", "waiting: operator"): CHANGES,
    ("retry", "paused"): "has nothing to retry",
    ("retry", "errored"): CHANGES,
    ("retry", "terminated"): "has nothing to retry",
    ("retry", "complete"): "has nothing to retry",
    ("pause", "queued"): CHANGES,
    ("pause", "running"): CHANGES,
    ("pause", "waiting: retry"): CHANGES,
    ("pause", "waiting: sleep"): CHANGES,
    ("pause", "waiting: event"): CHANGES,
    ("pause", "waiting: operator"): CHANGES,
    ("pause", "paused"): ALREADY,
    ("pause", "errored"): "has ended",
    ("pause", "terminated"): "has ended",
    ("pause", "complete"): "has ended",
    ("resume", "queued"): ALREADY,
    ("resume", "running"): ALREADY,
    ("resume", "waiting: retry"): ALREADY,
    ("resume", "waiting: sleep"): ALREADY,
    ("resume", "waiting: event"): ALREADY,
    ("resume", "waiting: operator"): ALREADY,
    ("resume", "paused"): CHANGES,
    ("resume", "errored"): "has ended",
    ("resume", "terminated"): "has ended",
    ("resume", "complete"): "has ended",
    ("terminate", "queued"): CHANGES,
    ("terminate", "running"): CHANGES,
    ("terminate", "waiting: retry"): CHANGES,
    ("terminate", "waiting: sleep"): CHANGES,
    ("terminate", "waiting: event"): CHANGES,
    ("terminate", "waiting: operator"): CHANGES,
    ("terminate", "paused"): CHANGES,
    ("terminate", "errored"): CHANGES,
    ("terminate", "terminated"): ALREADY,
    ("terminate", "complete"): "has ended already",
    ("restart", "queued"): CHANGES,
    ("restart", "running"): CHANGES,
    ("restart", "waiting: retry"): CHANGES,
    ("restart", "waiting: sleep"): CHANGES,
    ("restart", "waiting: event"): CHANGES,
    ("restart", "waiting: operator"): CHANGES,
    ("restart", "paused"): CHANGES,
    ("restart", "errored"): CHANGES,
    ("restart", "terminated"): CHANGES,
    ("restart", "complete"): CHANGES,
    ("replace_output", "queued"): "has no output of trial_first yet",
    ("replace_output", "running"): "pause or restart it first",
    ("replace_output", "waiting: retry"): CHANGES,
    ("replace_output", "waiting: sleep"): CHANGES,
    ("replace_output", "waiting: event"): CHANGES,
    ("replace_output", "waiting: operator"): CHANGES,
    ("replace_output", "paused"): CHANGES,
    ("replace_output", "errored"): CHANGES,
    ("replace_output", "terminated"): "pause or restart it first",
    ("replace_output", "complete"): "pause or restart it first",
    ("event", "queued"): CHANGES,
    ("event", "running"): CHANGES,
    ("event", "waiting: retry"): CHANGES,
    ("event", "waiting: sleep"): CHANGES,
    ("event", "waiting: event"): CHANGES,
    ("event", "waiting: operator"): CHANGES,
    ("event", "paused"): CHANGES,
    ("event", "errored"): "takes no events",
    ("event", "terminated"): "takes no events",
    ("event", "complete"): "takes no events",
}
KINDS = {"replace_output": "replace-output"}


def act(name: str, instance_id: str) -> bool:
    """Send a verb, or an event under a key, as two clicks would."""
    if name == "event":
        return send_event(instance_id, "approval", sender="ann", key="one")
    return send(name, instance_id)


@pytest.mark.parametrize(("name", "state"), TABLE)
def test_a_verb_changes_is_so_already_or_is_refused_as_the_state_allows(
    name: str, state: str, trial: Trial
) -> None:
    expected = TABLE[name, state]
    instance = trial.stand_in(state)
    before = Instance.objects.filter(pk=instance.pk).values().get()
    lines = instance.log.count()

    if expected in (CHANGES, ALREADY):
        assert act(name, str(instance.instance_id)) is (expected == CHANGES)
    else:
        with pytest.raises(VerbRefusedError, match=expected) as refused:
            act(name, str(instance.instance_id))
        assert str(instance.instance_id) in str(refused.value)
        assert "nothing" in str(refused.value)

    is_unchanged = Instance.objects.filter(pk=instance.pk).values().get() == before
    assert is_unchanged is (expected != CHANGES)
    assert instance.log.count() - lines == (1 if expected == CHANGES else 0)


@pytest.mark.parametrize("name", [*VERBS, "replace_output", "event"])
def test_a_verb_sent_twice_at_once_acts_once(name: str, trial: Trial) -> None:
    instance = trial.stand_in("paused" if name == "resume" else "waiting: operator")
    lines = instance.log.filter(kind=KINDS.get(name, name)).count()
    gate = threading.Barrier(8)
    changed: list[bool] = []

    def click() -> None:
        gate.wait()
        try:
            changed.append(act(name, str(instance.instance_id)))
        except VerbRefusedError:
            changed.append(False)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert instance.log.filter(kind=KINDS.get(name, name)).count() == lines + 1
    assert sorted(changed) == [False] * 7 + [True]


@pytest.mark.parametrize("name", [*VERBS, "replace_output", "event"])
def test_a_pruned_instance_refuses_every_verb(name: str, trial: Trial) -> None:
    instance = trial.stand_in("complete")
    Instance.objects.filter(pk=instance.pk).update(pruned_at=timezone.now())
    before = Instance.objects.filter(pk=instance.pk).values().get()

    with pytest.raises(VerbRefusedError, match=str(instance.instance_id)):
        act(name, str(instance.instance_id))

    assert Instance.objects.filter(pk=instance.pk).values().get() == before


def test_a_paused_instance_finishes_its_running_step_and_then_stands_still(trial: Trial) -> None:
    instance = trial.create(key="x", seconds=0.5)
    with standing_drain():
        wait_until(lambda: bool(trial.marks()))
        assert verbs.pause(str(instance.instance_id), actor="ann")
        wait_until(lambda: is_in(instance, Status.PAUSED))

        assert (instance.position, instance.owner, instance.due_at) == (1, None, None)
        assert trial.marks() == ["x first 1"]
        assert instance.records.count() == 1

        verbs.resume(str(instance.instance_id), actor="ann")
        wait_until(lambda: is_in(instance, Status.COMPLETE))
    assert trial.marks() == ["x first 1", "x second 1", "x third 1"]


def test_a_pause_that_is_taken_back_in_time_pauses_nothing(trial: Trial) -> None:
    instance = trial.create(seconds=0.3)
    with standing_drain():
        wait_until(lambda: bool(trial.marks()))
        verbs.pause(str(instance.instance_id), actor="ann")
        verbs.resume(str(instance.instance_id), actor="ann")
        wait_until(lambda: is_in(instance, Status.COMPLETE))

    assert instance.crashes == 0
    assert instance.attempts.count() == 0


def test_a_pause_of_a_step_that_fails_keeps_its_retry_for_later(trial: Trial) -> None:
    instance = trial.create(fail_times=1, seconds=0.2)
    with standing_drain():
        wait_until(lambda: len(trial.marks()) == 1)
        wait_until(lambda: is_in(instance, Status.RUNNING) and instance.position == 1)
        verbs.pause(str(instance.instance_id), actor="ann")
        wait_until(lambda: is_in(instance, Status.PAUSED))
        assert (instance.reason, instance.failures) in (("retry", 1), (None, 0))
        verbs.resume(str(instance.instance_id), actor="ann")
        wait_until(lambda: is_in(instance, Status.COMPLETE))


def test_a_queued_instance_is_queued_again_after_a_pause(trial: Trial) -> None:
    instance = trial.create()
    verbs.pause(str(instance.instance_id), actor="ann")
    verbs.resume(str(instance.instance_id), actor="ann")

    assert is_in(instance, Status.QUEUED)
    assert instance.due_at is not None
    run_to_end(instance)
    assert instance.status == Status.COMPLETE


def test_a_paused_sleep_keeps_its_end(trial: Trial) -> None:
    instance = trial.stand_in("waiting: sleep")
    end = instance.deadline_at

    verbs.pause(str(instance.instance_id), actor="ann")
    assert is_in(instance, Status.PAUSED)
    verbs.resume(str(instance.instance_id), actor="ann")

    assert is_in(instance, Status.WAITING)
    assert (instance.reason, instance.due_at, instance.deadline_at) == ("sleep", end, end)


def test_what_waits_for_an_operator_still_does_after_a_pause(trial: Trial) -> None:
    instance = trial.stand_in("waiting: operator")
    verbs.pause(str(instance.instance_id), actor="ann")
    verbs.resume(str(instance.instance_id), actor="ann")

    assert is_in(instance, Status.WAITING)
    assert (instance.reason, instance.due_at) == ("operator", None)


def test_the_steps_after_a_replaced_output_read_it_and_the_first_one_is_kept(trial: Trial) -> None:
    instance = trial.create(key="x", refuse=True)
    run_to_end(instance)
    Envelope.objects.filter(pk=instance.pk).update(data={"marks": str(trial.path)})

    verbs.replace_output(
        str(instance.instance_id), "trial_first", {"said": "new"}, actor="ann", why="was wrong"
    )
    verbs.retry(str(instance.instance_id), actor="ann")
    run_to_end(instance)

    assert instance.status == Status.COMPLETE
    kept = instance.records.filter(entry="trial_first").order_by("id")
    assert [(r.output["said"], r.superseded) for r in kept] == [("x", True), ("new", False)]
    assert instance.records.get(entry="trial_third").output == {"said": "new"}
    assert instance.log.get(kind="replace-output").details == {"entry": "trial_first"}


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ({"said": 1}, "trial_first.said: does not fit First"),
        ({}, "trial_first.said: does not fit First: Field required"),
        ({"said": "x", "more": 1}, "trial_first.more: does not fit First"),
        ("x", "trial_first: does not fit First"),
    ],
)
def test_an_output_that_does_not_fit_is_refused_by_its_path(
    output: Any, words: str, trial: Trial
) -> None:
    instance = trial.stand_in("errored")

    with pytest.raises(ContractError, match=words):
        verbs.replace_output(str(instance.instance_id), "trial_first", output, actor="ann")

    assert instance.records.filter(superseded=True).count() == 0


def _has_begun(trial: Trial, generation: int) -> bool:
    return any(mark.endswith(f" {generation}") for mark in trial.marks())


def test_a_restart_sees_what_a_running_step_has_just_recorded(trial: Trial) -> None:
    instance = trial.create(seconds=0.3)
    with standing_drain():
        wait_until(lambda: bool(trial.marks()))
        # A step's record commits while the verb waits for the row, again and again.
        for generation in range(1, 6):
            verbs.restart(instance.instance_id, actor="ann", generation=generation)
            wait_until(partial(_has_begun, trial, generation + 1))
        wait_until(lambda: is_in(instance, Status.COMPLETE, Status.ERRORED))

    assert (instance.status, instance.generation) == (Status.COMPLETE, 6)
    assert instance.records.filter(superseded=False).count() == 3
    assert not instance.attempts.filter(outcome="failed").exists()
