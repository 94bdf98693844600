"""Each verb does what it says, is refused with the state named, and is safe twice at once."""

import threading
from collections.abc import Callable
from functools import partial

import pytest
from django.contrib.auth.models import Group
from django.db import connections

from tests.workflows.conftest import Trial, is_in, run_to_end, standing_drain, wait_until
from workflows import verbs
from workflows.errors import ContractError, UnknownInstanceError, VerbRefusedError
from workflows.models import Instance, LogEntry, Status


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

    verbs.restart(instance.instance_id, actor="ann", entry="trial_second")
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

    verbs.restart(instance.instance_id, actor="ann")
    run_to_end(instance)

    assert trial.marks()[3:] == ["x first 2", "x second 2", "x third 2"]


def test_a_restart_from_an_unknown_entry_names_those_that_exist(trial: Trial) -> None:
    instance = trial.create()

    with pytest.raises(ContractError, match="there are trial_first, trial_second, trial_third"):
        verbs.restart(instance.instance_id, actor="ann", entry="forth")

    instance.refresh_from_db()
    assert instance.generation == 1


def test_a_restart_from_an_entry_that_was_not_reached_is_refused(trial: Trial) -> None:
    instance = trial.create()

    with pytest.raises(VerbRefusedError, match="not reached"):
        verbs.restart(instance.instance_id, actor="ann", entry="trial_third")

    assert not instance.log.filter(kind="restart").exists()


def test_a_terminated_instance_runs_no_further(trial: Trial) -> None:
    instance, other = trial.create(key="ended"), trial.create(key="other")

    verbs.terminate(instance.instance_id, actor="ann", why="not wanted")
    run_to_end(other)

    instance.refresh_from_db()
    assert (instance.status, instance.due_at) == (Status.TERMINATED, None)
    assert trial.marks() == ["other first 1", "other second 1", "other third 1"]


@pytest.mark.parametrize("verb", [verbs.retry, verbs.terminate])
def test_a_verb_that_does_not_apply_is_refused_and_changes_nothing(
    verb: Callable[..., None], trial: Trial
) -> None:
    instance = trial.create()
    run_to_end(instance)
    before = Instance.objects.filter(pk=instance.pk).values().get()

    with pytest.raises(VerbRefusedError, match=f"{instance.instance_id} is complete"):
        verb(instance.instance_id, actor="ann")

    assert Instance.objects.filter(pk=instance.pk).values().get() == before


@pytest.mark.parametrize("verb", [verbs.retry, verbs.restart, verbs.terminate])
@pytest.mark.django_db
def test_an_unknown_id_is_named(verb: Callable[..., None]) -> None:
    with pytest.raises(UnknownInstanceError, match="trial-nobody"):
        verb("trial-nobody", actor="ann")


@pytest.mark.parametrize("name", ["retry", "restart", "terminate"])
def test_a_verb_sent_twice_at_once_acts_once(name: str, trial: Trial) -> None:
    instance = trial.create(refuse=True)
    run_to_end(instance)
    gate = threading.Barrier(8)
    refused: list[str] = []

    def send() -> None:
        gate.wait()
        try:
            seen = {"generation": 1} if name == "restart" else {}
            getattr(verbs, name)(instance.instance_id, actor="ann", **seen)
        except VerbRefusedError as error:
            refused.append(str(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert LogEntry.objects.filter(instance=instance, kind=name).count() == 1
    assert len(refused) == 7


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
