"""What would take a careless engine down: poison, frozen workers, hanging steps, slow networks."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
from django.contrib.auth.models import Group, User
from django.db import connection

from lanes.models import Lane
from publishing.keys import make_key
from publishing.models import Routine
from tests.flows.processes import standing_pids, web, workers
from tests.trial.stages import ENTRIES
from tests.workflows.conftest import Trial, is_in, trial, wait_until
from workflows.models import Drain, Instance, Status, StepRecord
from workflows.processes import descendants_of

__all__ = ["trial"]

POOL = 8  # connections a process, as the product's own settings have it


def test_a_poison_brief_ends_errored_and_takes_no_neighbour_along(trial: Trial) -> None:
    poison = trial.create(key="poison", die_at="first", seconds=2)
    for number in range(99):
        trial.create(key=f"k{number}", partition=f"p{number % 4}", seconds=2)

    with workers():
        wait_until(lambda: is_in(poison, Status.ERRORED), seconds=120)
        wait_until(lambda: Instance.objects.filter(status=Status.COMPLETE).count() == 99,
                   seconds=120)  # fmt: skip

    assert poison.error == {
        "type": "WorkerDied",
        "message": "its worker process died 5 times while it was driven",
    }
    assert list(poison.attempts.values_list("outcome", flat=True)) == ["lost"] * 5
    assert StepRecord.objects.count() == 99 * 3
    assert set(Counter(StepRecord.objects.values_list("instance", "entry")).values()) == {1}
    assert Group.objects.count() == 99


def test_a_frozen_worker_writes_nothing_when_it_wakes_after_its_lease(trial: Trial) -> None:
    with workers(WORKFLOWS_LEASE_SECONDS="3"):
        wait_until(lambda: len(standing_pids()) == 2)
        instance = trial.create(key="x", seconds=1)
        wait_until(lambda: bool(trial.marks()))
        instance.refresh_from_db()
        frozen = Drain.objects.get(pk=instance.owner or 0)
        os.kill(frozen.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: is_in(instance, Status.COMPLETE))
            done = whole_history(instance)
        finally:
            os.kill(frozen.pid, signal.SIGCONT)
        # It has noticed that it lost its lease, and stands again under another number.
        wait_until(lambda: has_begun_anew(frozen))

        assert whole_history(instance) == done
    assert trial.marks().count("x first 1") == 2
    assert instance.records.filter(drain=frozen.pk).count() == 0
    assert [a.outcome for a in instance.attempts.all()] == ["lost"]
    assert Group.objects.count() == 1


def test_a_worker_that_hangs_is_killed_and_replaced_and_the_others_stay(trial: Trial) -> None:
    with workers(WORKFLOWS_LEASE_SECONDS="3") as cluster:
        wait_until(lambda: len(standing_pids()) == 2)
        instance = trial.create(key="x", seconds=1)
        wait_until(lambda: bool(trial.marks()))
        instance.refresh_from_db()
        hung = Drain.objects.get(pk=instance.owner or 0).pid
        (other,) = set(standing_pids()) - {hung}
        os.kill(hung, signal.SIGSTOP)

        wait_until(lambda: is_in(instance, Status.COMPLETE))
        wait_until(lambda: hung not in descendants_of(cluster.pid))
        wait_until(lambda: len(standing_pids()) == 2)
        assert other in standing_pids()


def test_a_step_that_never_returns_goes_on_elsewhere_and_its_process_recovers(
    trial: Trial,
) -> None:
    entries: list[dict[str, Any]] = [
        ENTRIES[0],
        ENTRIES[1] | {"policy": {"timeout_seconds": 1}},
        ENTRIES[2],
    ]
    with workers(Q_WORKERS="1", WORKFLOWS_THREADS="2"):
        wait_until(lambda: len(standing_pids()) == 1)
        (pid,) = standing_pids()
        hanging = [trial.create(entries=entries, hang_times=1) for _ in range(2)]
        for instance in hanging:
            wait_until(partial(is_in, instance, Status.COMPLETE))
        after = trial.create()
        wait_until(lambda: is_in(after, Status.COMPLETE))
        wait_until(lambda: Drain.objects.get(pid=pid, ended_at=None).counts.get("abandoned") == 2)
        assert standing_pids() == [pid]

    outcomes = [list(i.attempts.values_list("entry", "outcome")) for i in hanging]
    assert outcomes == [[("trial_second", "timed out")]] * 2


def test_a_hundred_steps_wait_for_the_network_on_eight_connections_while_all_answer(
    trial: Trial,
) -> None:
    lane = Lane.objects.create(name="news", title="News", hue=1, place=1)
    routine = Routine.objects.create(name="desk")
    routine.lanes.add(lane)
    key = make_key(routine)
    User.objects.create_superuser("op", password="pw")
    with slow_server() as slow, workers(Q_WORKERS="1", WORKFLOWS_THREADS="100"), web() as site:
        wait_until(lambda: len(standing_pids()) == 1)
        before = sessions()
        instances = [trial.create(key=f"k{n}", url=slow.url) for n in range(100)]
        wait_until(lambda: slow.waiting == 100)

        assert sessions() - before <= POOL
        login = {"Authorization": f"Bearer {key}"}
        unknown = httpx2.get(
            f"{site}/api/admin/instances/publish-x", headers=login, trust_env=False
        )
        assert unknown.status_code == 404
        assert listed_in_the_admin(site) == "100 instances"

        slow.go_on.set()
        wait_until(lambda: not Instance.objects.exclude(status=Status.COMPLETE).exists())
    assert StepRecord.objects.count() == 3 * len(instances)


class SlowServer(ThreadingHTTPServer):
    """Answers nobody until it is told to, or 10 s are over."""

    daemon_threads = True
    request_queue_size = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Slow)
        self.go_on = threading.Event()
        self.waiting = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Slow(BaseHTTPRequestHandler):
    server: SlowServer

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.waiting += 1
        self.server.go_on.wait(10)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Keep the tests' output clean."""


@contextmanager
def slow_server() -> Iterator[SlowServer]:
    with SlowServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.go_on.set()
            server.shutdown()
            thread.join()


def sessions() -> int:
    """Count the sessions of the test's database, but for this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        return int(cursor.fetchone()[0])


def listed_in_the_admin(site: str) -> str:
    """Sign in and return what the list of instances says of its length."""
    with httpx2.Client(base_url=site, trust_env=False, follow_redirects=True) as client:
        client.get("/admin/login/")
        form = {"username": "op", "password": "pw", "next": "/admin/workflows/instance/"}
        form["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
        page = client.post("/admin/login/", data=form, headers={"Referer": f"{site}/admin/"})
        assert page.status_code == 200
        return "100 instances" if "100 instances" in page.text else page.text


def has_begun_anew(frozen: Drain) -> bool:
    return Drain.objects.filter(pid=frozen.pid, pk__gt=frozen.pk, ended_at=None).exists()


def whole_history(instance: Instance) -> list[Any]:
    """Return all that is kept of an instance."""
    row = Instance.objects.filter(pk=instance.pk).values().get()
    kept: list[Any] = [instance.records, instance.attempts, instance.log, instance.events]
    return [row, *(list(each.order_by("id").values()) for each in kept)]
