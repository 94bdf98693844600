"""Process families: a child that leads a process group of its own, and all that it started."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LOOK_SECONDS = 0.05
ORPHANS_SECONDS = 3.0  # for the rest of a family whose leader is gone


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
