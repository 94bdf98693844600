"""A drain ends overdue attempts, leaves within its grace, and survives its connection."""

import threading
from datetime import timedelta
from functools import partial

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import connection
from pytest_django import Settings

from tests.trial import stages
from tests.workflows.conftest import Trial, is_in, run_to_end, standing_drain, wait_until
from workflows.contracts import StepContext
from workflows.models import Attempt, Drain, Instance, Status
from workflows.registry import get_step
from workflows.retries import RetryPolicy


def test_a_drain_has_a_row_that_beats_and_ends(trial: Trial) -> None:
    with standing_drain() as drain:
        wait_until(lambda: Drain.objects.filter(pk=drain.id).exists())
        row = Drain.objects.get()
        assert row.ended_at is None
        assert row.lease_until - row.beat_at == timedelta(seconds=15)

    row.refresh_from_db()
    assert row.leaving
    assert row.ended_at is not None


def test_an_attempt_past_its_deadline_is_failed_and_its_late_write_refused(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, returned = threading.Event(), threading.Event()
    calls: list[int] = []

    def sleepy(order: stages.Order, context: StepContext) -> stages.First:
        calls.append(context.attempt)
        if len(calls) == 1:
            late.wait(30)
            returned.set()
        return stages.First(said=f"attempt {context.attempt}")

    step = get_step("trial_first")
    hasty = RetryPolicy(retries=2, delay=timedelta(0), timeout=timedelta(seconds=0.5))
    monkeypatch.setattr("workflows.registry._steps", _steps_with(step, sleepy, hasty))
    instance = trial.create()

    with standing_drain():
        wait_until(lambda: is_in(instance, Status.COMPLETE))
        late.set()
        wait_until(returned.is_set)

    lost = instance.attempts.get()
    assert (lost.number, lost.outcome) == (1, "timed out")
    assert lost.error is not None
    assert lost.error["message"] == "took longer than 0.5 s"
    record = instance.records.get(entry="trial_first")
    assert (record.attempt, record.output) == (2, {"said": "attempt 2"})


def _steps_with(step: object, function: object, policy: RetryPolicy) -> dict[str, object]:
    from dataclasses import replace

    from workflows import registry
    from workflows.graphs import load_plan

    load_plan.cache_clear()
    changed = replace(step, function=function, policy=policy)  # type: ignore[type-var]
    return registry._steps | {"trial_first": changed}


@pytest.fixture(autouse=True)
def _fresh_plans() -> object:
    from workflows.graphs import load_plan

    yield
    load_plan.cache_clear()


def test_a_stopped_drain_gives_back_what_it_was_driving_and_counts_no_failure(
    trial: Trial, settings: Settings
) -> None:
    settings.WORKFLOWS_GRACE_SECONDS = 0
    instance = trial.create(seconds=2)

    with standing_drain():
        wait_until(lambda: is_in(instance, Status.RUNNING) and trial.marks())

    instance.refresh_from_db()
    assert (instance.status, instance.owner) == (Status.WAITING, None)
    assert (instance.failures, instance.crashes) == (0, 0)
    assert list(instance.attempts.values_list("outcome", flat=True)) == ["interrupted"]
    run_to_end(instance)
    assert instance.status == Status.COMPLETE


def test_a_running_step_is_given_its_grace(trial: Trial) -> None:
    instance = trial.create(seconds=0.5)

    with standing_drain():
        wait_until(lambda: bool(trial.marks()))

    instance.refresh_from_db()
    assert instance.records.get().entry == "trial_first"


def test_a_drain_whose_connections_are_cut_goes_on_and_repeats_no_step(trial: Trial) -> None:
    instances = [trial.create(key=f"k{n}", seconds=0.2) for n in range(10)]

    with standing_drain():
        for _ in range(4):
            seen = len(trial.marks())
            _cut_engine_connections()
            wait_until(partial(_went_on, trial, seen, instances))
        wait_until(lambda: _all_done(instances))

    assert Group.objects.count() == 10
    for instance in instances:
        assert instance.records.count() == 3
        assert Attempt.objects.filter(instance=instance, outcome="lost").count() == 0
    assert len(trial.marks()) == len(set(trial.marks()))


def _went_on(trial: Trial, seen: int, instances: list[Instance]) -> bool:
    return len(trial.marks()) > seen or _all_done(instances)


def _all_done(instances: list[Instance]) -> bool:
    return all(is_in(instance, Status.COMPLETE) for instance in instances)


def _cut_engine_connections() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name like 'presswork %%' and datname = current_database()"
        )


def test_a_drain_that_lost_its_lease_begins_anew(trial: Trial) -> None:
    with standing_drain() as drain:
        wait_until(lambda: Drain.objects.exists())
        first = drain.id
        Drain.objects.update(lease_until="2000-01-01T00:00:00Z")
        drain._beaten_at = 0.0
        wait_until(lambda: drain.id != first)
        instance = trial.create()
        wait_until(lambda: is_in(instance, Status.COMPLETE))

    assert Drain.objects.count() == 2


def test_a_broken_statement_is_no_lost_connection(trial: Trial) -> None:
    from workflows.connection import EngineConnection
    from workflows.statements import Statement

    engine = EngineConnection("test")
    with pytest.raises(psycopg.errors.SyntaxError):
        engine.fetch(Statement("test.broken", "selekt 1"), {})
    assert engine.fetch(Statement("test.good", "select 1"), {}) == [(1,)]
    engine.close()
