"""Real clusters: their workers die at named statements, and Postgres restarts under them."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connections

from publishing.embedded_postgres.cluster import cluster_of
from publishing.embedded_postgres.processes import serves, serving_pid
from publishing.embedded_postgres.server import ensure, stop
from tests.flows.processes import standing_pids, workers
from tests.flows.test_workers import end_every_session_of_the_database
from tests.flows.touring import Tours, bring_forward, check_everything
from tests.workflows.conftest import Trial, trial, wait_until
from workflows.models import Instance, Status, StepRecord

__all__ = ["trial"]

POINTS = (
    "claims.claim:after:1",
    "entries.trial_second:after:3",
    "checkpoints.advance:before:5",
    "checkpoints.complete:uncommitted:2",
    "claims.take_over:after:1",
    "checkpoints.advance:after:3",
)


def test_workers_of_a_cluster_that_die_at_named_statements_repeat_nothing(
    trial: Trial, tmp_path: Path
) -> None:
    once = tmp_path / "once"
    once.mkdir()
    numbers = iter(range(10_000))

    def all_have_died() -> bool:
        if not Instance.objects.filter(status__lt=Status.ERRORED).exists():
            for _ in range(6):
                trial.create(key=f"k{next(numbers)}", seconds=0.05)
        return len(list(once.iterdir())) == len(POINTS)

    with workers(TRIAL_FAULT=";".join(POINTS), TRIAL_FAULT_ONCE=str(once)) as cluster:
        wait_until(all_have_died, seconds=90)
        wait_until(all_complete, seconds=60)
        assert cluster.poll() is None

    records = Counter(StepRecord.objects.values_list("instance__key", "entry"))
    assert set(records.values()) == {1}
    assert len(records) == 3 * Instance.objects.count()
    assert Group.objects.count() == Instance.objects.count()


def all_complete() -> bool:
    return not Instance.objects.exclude(status=Status.COMPLETE).exists()


def restart() -> None:
    """Do a fast restart, in which sessions are told that they end."""
    stop(settings.DATA_DIR)
    ensure(settings.DATA_DIR)


def crash() -> None:
    """End the server as a power cut does; it recovers when it is started."""
    cluster = cluster_of(settings.DATA_DIR)
    pid = serving_pid(cluster)
    assert pid is not None
    os.kill(pid, signal.SIGQUIT)
    wait_until(lambda: not serves(pid, cluster))
    ensure(settings.DATA_DIR)


def is_embedded() -> bool:
    return bool(settings.DATABASES["default"]["ENGINE"] == "publishing.embedded_postgres")


@pytest.mark.parametrize("outage", [restart, crash])
def test_a_server_that_goes_away_under_load_costs_no_record_and_no_repeat(
    transactional_db: None, tmp_path: Path, outage: Callable[[], None]
) -> None:
    tours = Tours(tmp_path / "marks")
    with workers() as cluster:
        wait_until(lambda: len(standing_pids()) == 2)
        for tour in ("last", "last_transactional", "farewell"):
            tours.begin(tour, 30)
        wait_until(partial(has_gone_on, tours, 40))
        connections.close_all()
        # A server that is somebody else's is not ours to end: its sessions are.
        outage() if is_embedded() else end_every_session_of_the_database()
        wait_until(partial(has_ended, tours), seconds=90)
        assert cluster.poll() is None

    check_everything(tours)
    assert Instance.objects.filter(status=Status.COMPLETE).count() == 90


def has_gone_on(tours: Tours, records: int) -> bool:
    return tours.have_ended() or StepRecord.objects.count() > records


def has_ended(tours: Tours) -> bool:
    bring_forward()
    return tours.have_ended()
