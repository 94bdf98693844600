"""Redis in the place of Postgres as django-q2's broker: it may come and go, nothing is lost."""

import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.flows.processes import kill, standing_pids, workers
from tests.workflows.conftest import Trial, trial, wait_until
from workflows.models import Instance, Status, StepRecord

__all__ = ["trial"]
pytestmark = pytest.mark.needs("redis-server")


class RedisServer:
    """A Redis of the test's own, which forgets everything when it ends."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.address = f"redis://127.0.0.1:{self._port}/0"
        self._command = [program, "--port", str(self._port), "--bind", "127.0.0.1"]
        self._command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        self._log = folder / "redis.log"

    def start(self) -> None:
        """Start it, and return when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_until(self._answers)

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it; nothing that it held is left."""
        self._process.send_signal(how)
        self._process.wait(30)

    def messages(self) -> int:
        """Count the tasks in its queue."""
        with redis.Redis.from_url(self.address) as client:
            return int(client.llen("django_q:presswork:q"))

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        with redis.Redis.from_url(self.address) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False


@pytest.fixture
def broker(redis_server_path: str, tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(redis_server_path, tmp_path)
    server.start()
    yield server
    server.end()


def all_complete() -> bool:
    return not Instance.objects.exclude(status=Status.COMPLETE).exists()


def test_workers_on_redis_finish_everything_though_it_is_killed_and_comes_back_empty(
    trial: Trial, broker: RedisServer
) -> None:
    with workers(Q_BROKER=broker.address) as cluster:
        wait_until(lambda: len(standing_pids()) == 2)
        for number in range(12):
            trial.create(key=f"k{number}", seconds=0.5)
        wait_until(lambda: StepRecord.objects.count() > 3)
        broker.end()
        victim = standing_pids()[0]
        kill(victim)  # what would replace it cannot be asked for
        wait_until(lambda: victim not in standing_pids())
        broker.start()
        wait_until(all_complete, seconds=90)
        wait_until(lambda: len(standing_pids()) == 2, seconds=60)
        assert cluster.poll() is None

    records = Counter(StepRecord.objects.values_list("instance__key", "entry"))
    assert set(records.values()) == {1}
    assert len(records) == 36
    assert broker.messages() <= 2


def test_workers_that_start_before_redis_begin_when_it_comes(
    trial: Trial, broker: RedisServer
) -> None:
    broker.end()
    instance = trial.create()
    with workers(Q_BROKER=broker.address) as cluster:
        with pytest.raises(subprocess.TimeoutExpired):
            cluster.wait(3)
        broker.start()
        wait_until(all_complete, seconds=60)

    assert instance.records.count() == 3
