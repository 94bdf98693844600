"""What becomes of an instance: steps are recorded once, failures retried, waits kept."""

import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connections

from tests.trial import stages
from tests.workflows.conftest import Trial, enter, is_in, run_to_end, standing_drain, wait_until
from workflows import faults, verbs
from workflows.checkpoints import Checkpoints
from workflows.claims import claim_due
from workflows.connection import EngineConnection
from workflows.errors import LostClaimError
from workflows.graphs import load_plan
from workflows.models import Attempt, Envelope, Instance, Outcome, Reason, Status, StepGraph
from workflows.records import Record


def error_of(row: Instance | Attempt) -> Any:
    return row.error


def records_of(instance: Instance) -> list[tuple[str, int]]:
    return list(instance.records.order_by("position", "id").values_list("entry", "attempt"))


def test_an_instance_runs_its_entries_in_order_and_records_each(trial: Trial) -> None:
    instance = trial.create(key="one")

    run_to_end(instance)

    assert instance.status == Status.COMPLETE
    assert trial.marks() == ["one first 1", "one second 1", "one third 1"]
    assert records_of(instance) == [("trial_first", 1), ("trial_second", 1), ("trial_third", 1)]
    assert instance.records.get(entry="trial_third").output == {"said": "one"}
    assert list(Group.objects.values_list("name", flat=True)) == ["one 1 1"]
    assert [entry.kind for entry in instance.log.order_by("id")] == ["created", "complete"]
    assert (instance.owner, instance.due_at, instance.attempts.count()) == (None, None, 0)
    assert instance.started_at is not None
    assert instance.finished_at is not None
    assert instance.created_at <= instance.started_at <= instance.finished_at


def test_a_failed_attempt_is_kept_and_the_step_tried_again(trial: Trial) -> None:
    instance = trial.create(key="x", fail_times=2)

    run_to_end(instance)

    assert instance.status == Status.COMPLETE
    assert trial.marks() == ["x first 1"] + ["x second 1"] * 3 + ["x third 1"]
    kept = list(instance.attempts.order_by("id").values_list("entry", "number", "outcome"))
    assert kept == [("trial_second", 1, "failed"), ("trial_second", 2, "failed")]
    assert records_of(instance)[1] == ("trial_second", 3)
    assert [error_of(a)["message"] for a in instance.attempts.order_by("id")] == [
        "failed as ordered, time 1",
        "failed as ordered, time 2",
    ]


def test_retries_that_are_used_up_end_the_instance_with_the_reason(trial: Trial) -> None:
    instance = trial.create(fail_times=9)

    run_to_end(instance)

    assert instance.status == Status.ERRORED
    assert error_of(instance)["message"] == "failed as ordered, time 3"
    assert instance.attempts.count() == 3
    assert [entry.kind for entry in instance.log.order_by("id")] == ["created", "errored"]


def test_an_error_for_good_is_not_tried_again_and_keeps_its_data(trial: Trial) -> None:
    instance = trial.create(refuse=True)

    run_to_end(instance)

    assert instance.status == Status.ERRORED
    assert error_of(instance) == {
        "type": "NonRetryableError",
        "message": "refused as ordered",
        "data": {"order": "refuse"},
    }
    assert instance.attempts.count() == 1


def test_an_unexpected_error_keeps_its_traceback(trial: Trial) -> None:
    instance = trial.create(seconds=-1)

    run_to_end(instance)

    assert instance.status == Status.ERRORED
    assert error_of(instance)["type"] == "ValueError"
    assert "time.sleep" in error_of(instance)["traceback"]
    assert instance.attempts.count() == 3


def test_options_of_the_entry_reach_the_step(trial: Trial) -> None:
    loud: list[dict[str, Any]] = [
        stages.ENTRIES[0],
        {"step": "trial_second", "options": {"loud": True}},
        stages.ENTRIES[2],
    ]
    instance = trial.create(key="quiet", entries=loud)

    run_to_end(instance)

    assert instance.records.get(entry="trial_second").output == {"said": "QUIET"}


def test_a_parked_instance_holds_no_worker_until_an_operator_retries(trial: Trial) -> None:
    instance = trial.create(park=True)

    run_to_end(instance)
    assert (instance.status, instance.reason) == (Status.WAITING, Reason.OPERATOR)
    assert (instance.owner, instance.due_at, instance.failures) == (None, None, 0)
    assert error_of(instance)["message"] == "parked as ordered"

    verbs.retry(instance.instance_id, actor="ann")
    run_to_end(instance)
    assert instance.status == Status.COMPLETE
    assert list(instance.attempts.values_list("outcome", flat=True)) == ["parked"]


def test_an_until_entry_waits_for_its_moment_without_a_worker(trial: Trial) -> None:
    entries: list[dict[str, Any]] = [
        *stages.ENTRIES[:2],
        {"name": "pause", "until": "/at"},
        stages.ENTRIES[2],
    ]
    moment = datetime.now(UTC) + timedelta(days=1)
    instance = trial.create(entries=entries, at=moment.isoformat())

    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))
    assert (instance.reason, instance.due_at) == (Reason.SLEEP, moment)
    assert (instance.position, instance.attempt, instance.owner) == (2, 0, None)

    instance.envelope.data["at"] = datetime.now(UTC).isoformat()
    instance.envelope.save()
    Instance.objects.filter(pk=instance.pk).update(due_at=datetime.now(UTC))
    run_to_end(instance)
    assert instance.status == Status.COMPLETE
    assert instance.attempts.count() == 0


def test_an_until_entry_without_a_moment_is_passed(trial: Trial) -> None:
    entries: list[dict[str, Any]] = [{"name": "pause", "until": "/at"}, *stages.ENTRIES]
    instance = trial.create(entries=entries)

    run_to_end(instance)

    assert instance.status == Status.COMPLETE
    assert instance.records.get(entry="pause").output == {"until": None}


def test_an_output_of_more_than_a_mebibyte_ends_the_instance_with_step_and_size_named(
    trial: Trial,
) -> None:
    around = len('{"said":""}')
    fits = trial.create(characters=1024 * 1024 - around)
    instance = trial.create(characters=1024 * 1024 - around + 1)

    run_to_end(fits, instance)

    assert fits.status == Status.COMPLETE
    assert instance.status == Status.ERRORED
    assert error_of(instance)["message"] == (
        "trial_first returned 1048577 bytes; 1048576 (1 MiB) is the most. Store what is large "
        "elsewhere and return where it is"
    )
    assert records_of(instance) == []


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"park_naively": True}, "Park was given 2026-11-23T00:00:00, a moment without its zone"),
        ({"odd_output": True}, "trial_second returned what is no JSON"),
    ],
)
def test_bad_use_by_a_step_ends_its_instance_at_once_and_says_what_to_do(
    order: dict[str, Any], words: str, trial: Trial
) -> None:
    instance = trial.create(**order)

    run_to_end(instance)

    assert instance.status == Status.ERRORED
    assert error_of(instance)["message"].startswith(words)
    assert instance.attempts.count() == 1


def test_a_lost_claim_rolls_the_effect_of_a_transactional_step_back(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = trial.create(key="late")
    real = Group.objects.create

    def create_and_lose_the_claim(**columns: Any) -> Group:
        # Another connection, as another drain would: the claim is taken while the effect runs.
        thread = threading.Thread(target=_terminate, args=(instance.instance_id,))
        thread.start()
        thread.join()
        return real(**columns)

    monkeypatch.setattr(Group.objects, "create", create_and_lose_the_claim)
    run_to_end(instance)

    assert instance.status == Status.TERMINATED
    assert records_of(instance) == [("trial_first", 1), ("trial_second", 1)]
    assert not Group.objects.exists()


def _terminate(instance_id: str) -> None:
    verbs.terminate(instance_id, actor="ann")
    connections.close_all()


def test_an_error_that_postgres_cannot_hold_is_stored_without_what_it_cannot(
    trial: Trial,
) -> None:
    instance = trial.create(odd_error=True)

    run_to_end(instance)

    assert instance.status == Status.ERRORED
    assert error_of(instance)["message"] == "odd  ?"
    assert error_of(instance)["data"] == {"nul": "", "nan": "NaN"}
    assert instance.attempts.count() == 1


def test_what_no_driver_can_bear_ends_errored_after_five_crashes(trial: Trial) -> None:
    instance = trial.create(entries=[{"sleep": 1, "name": "pause"}, *stages.ENTRIES])

    def fail(statement: str, moment: str) -> None:
        if (statement, moment) == ("checkpoints.sleep", "before"):
            raise ValueError("as a bug of the engine would")

    faults.arm(fail)
    with standing_drain(), ExitStack() as stack:
        stack.callback(faults.arm, None)
        for crashes in range(1, 5):
            wait_until(partial(_has_crashed, instance, crashes))
            Instance.objects.filter(pk=instance.pk).update(due_at=datetime.now(UTC))
        wait_until(lambda: is_in(instance, Status.ERRORED))

    assert error_of(instance)["type"] == "ValueError"
    assert list(instance.attempts.values_list("outcome", flat=True)) == ["lost"] * 5


def _has_crashed(instance: Instance, times: int) -> bool:
    return is_in(instance, Status.WAITING) and instance.crashes == times


def test_a_graph_that_no_worker_knows_waits_for_newer_code_without_a_try(trial: Trial) -> None:
    instance = trial.create()
    StepGraph.objects.filter(pk=instance.graph_id).update(entries=[{"step": "of_tomorrow"}])
    load_plan.cache_clear()

    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))
    assert (instance.reason, instance.due_at, instance.attempts.count()) == ("code", None, 0)
    assert "of_tomorrow" in error_of(instance)["message"]

    StepGraph.objects.filter(pk=instance.graph_id).update(entries=stages.ENTRIES)
    load_plan.cache_clear()
    with standing_drain():
        wait_until(lambda: is_in(instance, Status.COMPLETE))


def test_a_claim_whose_instance_was_pruned_before_it_was_driven_is_lost(
    trial: Trial,
) -> None:
    instance = trial.create()
    engine = EngineConnection("test")
    (claimed,) = claim_due(engine, drain=enter(engine), slots=1, with_suspect=True)
    verbs.terminate(str(instance.instance_id), actor="ann")
    Envelope.objects.filter(pk=instance.pk).delete()
    Instance.objects.filter(pk=instance.pk).update(pruned_at=datetime.now(UTC))

    with pytest.raises(LostClaimError, match="was ended and pruned before it was driven"):
        Checkpoints(engine).inputs(replace(claimed, envelope=None), [])
    engine.close()

    assert is_in(instance, Status.TERMINATED)
    assert trial.marks() == []


def test_a_commit_that_comes_through_after_it_was_given_up_leaves_nothing_stuck(
    trial: Trial,
) -> None:
    first = trial.create()
    engine = EngineConnection("test")
    drain = enter(engine)
    (claimed,) = claim_due(engine, drain=drain, slots=1, with_suspect=True)
    checkpoints = Checkpoints(engine)
    checkpoints.record(claimed, Record("trial_first", {"said": "x"}), is_last=False)
    with pytest.raises(LostClaimError):
        checkpoints.give_up(
            claimed, entry="trial_first", outcome=Outcome.FAILED, error={"message": "lost"}
        )

    checkpoints.relinquish(claimed)
    engine.close()

    run_to_end(first)
    assert first.status == Status.COMPLETE
    assert first.crashes == 0
