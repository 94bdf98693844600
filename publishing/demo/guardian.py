"""A small process that ends what the demo started, also when the demo itself is killed.

It stands in a session of its own, so that neither a Ctrl-C in the terminal nor a SIGKILL of the
demo meets it, and reads orders from a pipe. The end of the pipe, for whatever reason, is the
order to clean up: so there is one way to end, and every run takes it. What is ended are process
families: a child that leads a process group of its own, and all that it started.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType

from publishing.embedded_postgres import server

WATCH = "watch"  # and the pid of a process that leads a group of its own
STOP_POSTGRES = "stop-postgres"  # and the DATA_DIR whose server shall be stopped
HURRY = signal.SIGUSR1  # wait for nobody any more

LOOK_SECONDS = 0.05
ORPHANS_SECONDS = 3.0  # for the rest of a family whose leader is gone

_is_hurried = False


def main() -> None:
    """Collect orders until the pipe ends; then end the families and the database server."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(HURRY, _hurry)
    leaders, data_dirs = _read_orders(sys.stdin)
    end_families(leaders, within_seconds=float(sys.argv[1]), hurried=lambda: _is_hurried)
    for data_dir in data_dirs:
        server.stop(data_dir)


def end_families(
    leaders: Sequence[int], *, within_seconds: float, hurried: Callable[[], bool]
) -> None:
    """Ask each leader to stop, wait for the whole families, and kill what is left.

    Args:
        leaders: pids of processes that lead a group of their own.
        within_seconds: how long all of them may take together.
        hurried: asked again and again; once it is true nobody is waited for.
    """
    for leader in leaders:
        if leader in living_members(leader):
            _send(leader, signal.SIGTERM)
    limit = time.monotonic() + within_seconds
    for leader in leaders:
        _wait_for(leader, limit, hurried)
        for member in living_members(leader):
            _send(member, signal.SIGKILL)


def living_members(group: int) -> list[int]:
    """Return the pids of a process group, without zombies.

    The kernel gives no new process the number of a group that has members, so none is a stranger.
    """
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _group_of(entry) == group
    ]


def _read_orders(lines: Iterable[str]) -> tuple[list[int], list[Path]]:
    leaders: list[int] = []
    data_dirs: list[Path] = []
    for line in lines:
        order, _, value = line.rstrip("\n").partition(" ")
        if order == WATCH:
            leaders.append(int(value))
        elif order == STOP_POSTGRES:
            data_dirs.append(Path(value))
    return leaders, data_dirs


def _hurry(number: int, frame: FrameType | None) -> None:
    global _is_hurried
    _is_hurried = True


def _wait_for(leader: int, limit: float, hurried: Callable[[], bool]) -> None:
    while members := living_members(leader):
        if leader not in members:
            limit = min(limit, time.monotonic() + ORPHANS_SECONDS)
        if hurried() or time.monotonic() > limit:
            return
        time.sleep(LOOK_SECONDS)


def _group_of(entry: Path) -> int | None:
    """Return field 5 of /proc/<pid>/stat (proc(5)); None if the process has ended."""
    try:
        stat = (entry / "stat").read_text()
    except OSError:
        return None
    state, _parent, group = stat.rpartition(")")[2].split()[:3]
    return None if state in "ZX" else int(group)


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    main()
