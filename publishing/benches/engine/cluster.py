"""A real `qcluster` under the bench, and what it uses: seconds of CPU, and memory."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from publishing.benches.report import BenchError
from publishing.benches.scratch import let_connections_go
from workflows.models import Drain
from workflows.workers import stopping

LOOK_SECONDS = 0.01
PATIENCE_SECONDS = 300.0
TICKS = os.sysconf("SC_CLK_TCK")


class Cluster:
    """A cluster whose drains stand."""

    def __init__(self, pids: list[int]) -> None:
        self.pids = pids

    def cpu_seconds(self) -> float:
        """Return the CPU time that its workers have used."""
        return sum(_cpu_ticks(pid) for pid in self.pids) / TICKS

    def memory_mib(self) -> float:
        """Return the memory of a worker that it shares with nobody, the larger of them."""
        return max(_private_kib(pid) for pid in self.pids) / 1024


@contextmanager
def running_cluster(**changed: object) -> Iterator[Cluster]:
    """Run `qcluster` in a fork until the block ends.

    Args:
        **changed: settings that its workers have otherwise.
    """
    let_connections_go()
    process = multiprocessing.get_context("fork").Process(target=_run, args=(changed,))
    process.start()
    try:
        wait_until(lambda: len(_standing()) >= settings.Q_CLUSTER["workers"])
        yield Cluster(_standing())
    finally:
        process.terminate()
        process.join(60)
        if process.is_alive():
            process.kill()
        let_connections_go()


def wait_until(condition: Callable[[], bool], *, every: float = LOOK_SECONDS) -> None:
    """Look until the condition holds.

    Raises:
        BenchError: it did not within five minutes.
    """
    limit = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > limit:
            raise BenchError(f"what was waited for did not come within {PATIENCE_SECONDS:g} s")
        time.sleep(every)


def postgres_cpu_seconds() -> float:
    """Return the CPU time of the server with all its processes; 0 where it is on another host."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid(), inet_server_addr() is null")
        pid, _ = cursor.fetchone()
    stat = _stat(pid)
    if stat is None:
        return 0.0
    server = int(stat[1])
    own = _stat(server) or []
    ticks = sum(int(each) for each in own[11:15])
    for entry in Path("/proc").iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else None
        if fields is not None and int(fields[1]) == server:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def _run(changed: dict[str, object]) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)
    stopping.clear()  # forks share the flag, and the cluster before this one has been stopped
    call_command("qcluster")


def _standing() -> list[int]:
    return list(Drain.objects.filter(ended_at=None, leaving=False).values_list("pid", flat=True))


def _cpu_ticks(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/<pid>/stat from the third on (proc(5))."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _private_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
