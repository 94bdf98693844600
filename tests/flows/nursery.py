"""A process that forks workers, as qcluster does, but without its start-up for each.

It reads orders from its standard input, a JSON object a line, and answers each with a line.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Child:
    """A process that the nursery has forked."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._code: int | None = None

    def code(self, *, wait: bool = False) -> int | None:
        """Return its exit code, negative for a signal; None while it lives."""
        if self._code is None:
            self._code = self._nursery.ask(order="wait" if wait else "poll", pid=self.pid)
        return self._code

    def stop(self) -> int | None:
        """Ask it to stop and wait for its end."""
        os.kill(self.pid, signal.SIGTERM)
        return self.code(wait=True)


class Nursery:
    """The tests' end of such a process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, **order: Any) -> Any:
        """Send an order and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def drain(
        self,
        faults: str = "",
        *,
        threads: int = 4,
        without: str = "",
        group_commit: bool | None = None,
    ) -> Child:
        """Fork a worker that runs a drain until SIGTERM.

        Args:
            faults: see `tests.arming`.
            threads: of the drain.
            without: a step that this worker's code does not have.
            group_commit: whether its threads' checkpoints share commits; None: as the run's.
        """
        order = {"order": "drain", "faults": faults, "threads": threads, "without": without}
        return Child(self, self.ask(**order, group_commit=group_commit))

    def act(self, name: str, instance_id: str, faults: str) -> Child:
        """Fork a process that does one of `tests.tour.acts`, and ends."""
        order = {"order": "act", "name": name, "instance": instance_id, "faults": faults}
        return Child(self, self.ask(**order))


@contextlib.contextmanager
def nursery(environment: dict[str, str]) -> Iterator[Nursery]:
    """Run the process; nothing of it is left afterwards."""
    command = [sys.executable, "-m", "tests.flows.nursery"]
    with subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield Nursery(process)
        finally:
            # Its own session: every child that is left, too.
            os.killpg(process.pid, signal.SIGKILL)


def main() -> None:
    """Answer orders until the input ends."""
    import django

    django.setup()
    for line in sys.stdin:
        answer = _obey(**json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _obey(order: str, **arguments: Any) -> int | None:
    if order in ("wait", "poll"):
        pid, status = os.waitpid(arguments["pid"], 0 if order == "wait" else os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _drain(**arguments) if order == "drain" else _act(**arguments)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    return pid


def _drain(faults: str, threads: int, without: str, group_commit: bool | None) -> None:
    """Be a worker; it looks more often than others, so that the tests take a minute."""
    from django.conf import settings

    from tests.arming import Arming
    from workflows import drain, registry
    from workflows import faults as points
    from workflows.workers import StopFlag

    drain.LOOK_SECONDS, drain.SWEEP_SECONDS = 0.02, 0.1
    settings.WORKFLOWS_THREADS = threads
    if group_commit is not None:
        settings.WORKFLOWS_GROUP_COMMIT = group_commit
    if without:
        registry._steps.pop(without)
        registry.code_version.cache_clear()
    points.arm(Arming(faults) if faults else None)
    flag = StopFlag()
    signal.signal(signal.SIGTERM, lambda signum, frame: flag.set())
    drain.Drain(flag).run(timedelta(minutes=10))


def _act(name: str, instance: str, faults: str) -> None:
    from tests.arming import Arming
    from tests.tour.acts import ACTS, BULK
    from workflows import faults as points

    points.arm(Arming(faults, workers_only=False))
    (ACTS | BULK)[name](instance)


if __name__ == "__main__":
    main()
