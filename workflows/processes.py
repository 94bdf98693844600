"""Processes by host, pid and start time: a pid alone may already name a stranger."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process of one host.

    Attributes:
        started: boot, pid namespace, and clock ticks since boot; with the pid it is unique.
    """

    host: str
    pid: int
    started: str

    @classmethod
    def current(cls) -> "Process":
        """Return the calling process."""
        pid = os.getpid()
        return cls(host=socket.gethostname(), pid=pid, started=f"{_here()}/{_ticks(pid)}")

    def is_gone(self) -> bool:
        """Say whether it has certainly ended; of another host that is never certain."""
        return self.is_here() and _ticks(self.pid) != self.started.rpartition("/")[2]

    def is_here(self) -> bool:
        """Say whether its pid means something in this process's own host and namespace."""
        here = self.started.rpartition("/")[0]
        return self.host == socket.gethostname() and here == _here()


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


def _here() -> str:
    """Name this boot of this machine, and its pid namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"


def _ticks(pid: int) -> str | None:
    """Return field 22 of /proc/<pid>/stat (proc(5)); None if there is no such live process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    is_zombie = fields[0] in "ZX"
    return None if is_zombie else fields[19]
