"""Workers of two hosts on one Postgres: they share the work, and each can do without the other."""

import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.flows.processes import kill_family, workers
from tests.workflows.conftest import Trial, trial, wait_until
from workflows.health import read_health
from workflows.models import Attempt, Drain, Instance, Outcome, Status, StepRecord

__all__ = ["trial"]


@contextmanager
def workers_on(host: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run workers whose processes believe that their machine has this name."""
    (folder / host).mkdir()
    renaming = f"import socket\nsocket.gethostname = lambda: {host!r}\n"
    (folder / host / "sitecustomize.py").write_text(renaming)
    few = {"WORKFLOWS_LEASE_SECONDS": "3", "WORKFLOWS_THREADS": "4"}
    with workers(PYTHONPATH=str(folder / host), **few) as cluster:
        yield cluster


def standing() -> Counter[str]:
    """Count the drains that stand, by host."""
    rows = Drain.objects.filter(ended_at=None, leaving=False)
    return Counter(rows.values_list("host", flat=True))


def worked_on(keys: str) -> set[str]:
    """Return the hosts whose drains recorded steps of the instances whose keys begin so."""
    records = StepRecord.objects.filter(instance__key__startswith=keys)
    drains = records.values_list("drain", flat=True)
    return set(Drain.objects.filter(pk__in=list(drains)).values_list("host", flat=True))


def all_complete() -> bool:
    return not Instance.objects.exclude(status=Status.COMPLETE).exists()


def test_two_hosts_share_the_work_and_what_is_left_of_one_goes_to_the_other(
    trial: Trial, tmp_path: Path
) -> None:
    with workers_on("host-a", tmp_path) as a, workers_on("host-b", tmp_path):
        wait_until(lambda: standing() == {"host-a": 2, "host-b": 2}, seconds=60)
        for number in range(30):  # more than one host has threads
            trial.create(key=f"both{number}", seconds=0.3)
        wait_until(lambda: worked_on("both") == {"host-a", "host-b"})
        a.send_signal(signal.SIGTERM)
        assert a.wait(60) == 0
        assert standing() == {"host-b": 2}
        for number in range(10):
            trial.create(key=f"alone{number}")
        wait_until(all_complete, seconds=60)
        health = read_health()

    assert (health.is_healthy, health.findings) == (True, [])
    assert {drain.host for drain in health.beating} == {"host-b"}
    assert worked_on("alone") == {"host-b"}
    records = Counter(StepRecord.objects.values_list("instance__key", "entry"))
    assert set(records.values()) == {1}
    assert len(records) == 120
    assert not Attempt.objects.filter(outcome=Outcome.LOST).exists()


def test_a_host_that_vanishes_is_missed_when_its_lease_has_lapsed(
    trial: Trial, tmp_path: Path
) -> None:
    with workers_on("host-a", tmp_path) as a, workers_on("host-b", tmp_path):
        wait_until(lambda: standing() == {"host-a": 2, "host-b": 2}, seconds=60)
        for number in range(30):
            trial.create(key=f"both{number}", seconds=0.3)
        wait_until(lambda: worked_on("both") == {"host-a", "host-b"})
        kill_family(a.pid)
        wait_until(all_complete, seconds=90)
        health = read_health()

    assert [finding.code for finding in health.findings] == ["drains-lapsed"]
    assert health.is_healthy
    assert {drain.host for drain in health.lapsed} == {"host-a"}
    records = Counter(StepRecord.objects.values_list("instance__key", "entry"))
    assert set(records.values()) == {1}
    assert len(records) == 90
    assert Attempt.objects.filter(outcome=Outcome.LOST).exists()
