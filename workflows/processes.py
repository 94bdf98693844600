"""Processes by host, pid and start time: a pid alone may already name a stranger."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process of one host.

    Attributes:
        started: clock ticks since boot, as the kernel gives them; with the pid it is unique.
    """

    host: str
    pid: int
    started: str

    @classmethod
    def current(cls) -> "Process":
        """Return the calling process."""
        pid = os.getpid()
        return cls(host=socket.gethostname(), pid=pid, started=_started(pid) or "")

    def is_gone(self) -> bool:
        """Say whether it has certainly ended; of another host that is never certain."""
        if self.host != socket.gethostname():
            return False
        return _started(self.pid) != self.started


def descendants_of(pid: int) -> list[int]:
    """Return the pids of a process's children, their children and so on, on this host."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent = _parent(int(entry.name))
            if parent is not None:
                parents.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    unseen = [pid]
    while unseen:
        children = parents.get(unseen.pop(), [])
        found += children
        unseen += children
    return found


def _parent(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])


def _started(pid: int) -> str | None:
    """Return field 22 of /proc/<pid>/stat (proc(5)); None if there is no such live process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    is_zombie = fields[0] in "ZX"
    return None if is_zombie else fields[19]
