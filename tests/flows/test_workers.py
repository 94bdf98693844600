"""Real workers under SIGKILL: everything finishes, nothing finished runs twice."""

import os
import signal
from collections import Counter
from functools import partial

from django.contrib.auth.models import Group
from django.db import connection
from django_q.models import OrmQ

from tests.flows.processes import kill, standing_pids, workers
from tests.workflows.conftest import Trial, is_in, trial, wait_until
from workflows.dispatch import create_instance
from workflows.models import Drain, Instance, Status, StepRecord
from workflows.processes import descendants_of

__all__ = ["trial"]


def all_complete() -> bool:
    return not Instance.objects.exclude(status=Status.COMPLETE).exists()


def more_records_than(count: int) -> bool:
    return StepRecord.objects.count() > count


def none_stands_of(pids: list[int]) -> bool:
    return set(standing_pids()).isdisjoint(pids)


def test_workers_killed_five_times_finish_everything_and_repeat_no_finished_step(
    trial: Trial,
) -> None:
    with workers() as cluster:
        wait_until(lambda: len(standing_pids()) == 2)
        for number in range(12):
            trial.create(key=f"k{number}", partition=f"p{number % 3}", seconds=0.5)
        for _ in range(5):
            recorded = StepRecord.objects.count()
            wait_until(partial(more_records_than, recorded))
            victims = standing_pids()
            for pid in victims:
                kill(pid)
            wait_until(partial(none_stands_of, victims))
        wait_until(all_complete, seconds=90)
        assert cluster.poll() is None

    records = Counter(StepRecord.objects.values_list("instance__key", "entry"))
    assert set(records.values()) == {1}
    assert len(records) == 36
    assert Group.objects.count() == 12


def test_a_cluster_whose_processes_all_die_is_replaced(trial: Trial) -> None:
    with workers() as cluster:
        wait_until(lambda: len(standing_pids()) == 2)
        instance = trial.create(seconds=1)
        wait_until(lambda: bool(trial.marks()))
        for pid in descendants_of(cluster.pid):
            kill(pid)
        wait_until(lambda: is_in(instance, Status.COMPLETE), seconds=60)

    assert instance.records.count() == 3


def test_idle_workers_killed_at_their_queue_do_not_stop_the_cluster(trial: Trial) -> None:
    with workers() as cluster:
        wait_until(lambda: len(standing_pids()) == 2)
        for pid in standing_pids():
            kill(pid)
        # Respawned workers stand at the queue for a moment: the kill that wedges django-q2.
        wait_until(lambda: len(descendants_of(cluster.pid)) == 5)
        for pid in descendants_of(cluster.pid)[1:]:
            kill(pid)
        instance = trial.create()
        wait_until(lambda: is_in(instance, Status.COMPLETE), seconds=60)


def test_deleting_every_drain_task_by_hand_changes_nothing(trial: Trial) -> None:
    with workers():
        wait_until(lambda: len(standing_pids()) == 2)
        for _ in range(8):
            trial.create(seconds=0.2)
        deleted, _ = OrmQ.objects.all().delete()
        wait_until(all_complete)

    assert deleted >= 2
    assert StepRecord.objects.count() == 24


def test_a_stopped_cluster_ends_its_drains_and_leaves_no_process(trial: Trial) -> None:
    with workers() as cluster:
        wait_until(lambda: len(standing_pids()) == 2)
        family = descendants_of(cluster.pid)
        os.kill(cluster.pid, signal.SIGTERM)
        assert cluster.wait(30) == 0

    assert not Drain.objects.filter(ended_at=None).exists()
    assert set(family).isdisjoint(descendants_of(1) + descendants_of(os.getpid()))


def test_a_database_that_restarts_in_mid_run_costs_no_record_and_no_repeat(trial: Trial) -> None:
    with workers():
        wait_until(lambda: len(standing_pids()) == 2)
        for number in range(20):
            trial.create(key=f"k{number}", seconds=0.2)
        wait_until(lambda: StepRecord.objects.count() > 3)
        end_every_session_of_the_database()
        wait_until(all_complete, seconds=60)

    assert set(Counter(StepRecord.objects.values_list("instance__key", "entry")).values()) == {1}
    assert StepRecord.objects.count() == 60
    assert Group.objects.count() == 20


def end_every_session_of_the_database() -> None:
    """Do to the sessions what a fast restart of the server does, but for our own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )


def test_a_thousand_instances_use_few_tasks(trial: Trial) -> None:
    before = tasks_ever_queued()
    one = trial.create()
    for number in range(999):
        create_instance(
            workflow="trial",
            key=str(number),
            partition="p",
            graph=one.graph_id,
            envelope=one.envelope.data,
            trigger="command",
        )
    with workers():
        wait_until(all_complete, seconds=90)

    assert tasks_ever_queued() - before < 50


def tasks_ever_queued() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select last_value from django_q_ormq_id_seq")
        return int(cursor.fetchone()[0])
