"""Which process serves a cluster, told from process ids that may be stale."""

import os
from contextlib import suppress
from pathlib import Path

from publishing.embedded_postgres.cluster import Cluster

_NO_PROCESS = 2**22 + 1  # Linux's PID_MAX_LIMIT is 2**22

# Servers that this process started and has not ended.
_children: dict[Path, int] = {}


def remember_child(cluster: Cluster, pid: int) -> None:
    """Note that this process started the cluster's server."""
    _children[cluster.data] = pid


def is_our_child(cluster: Cluster, pid: int | None) -> bool:
    """Whether this process, and no other, started the server."""
    return pid is not None and _children.get(cluster.data) == pid


def exit_code_of_child(cluster: Cluster) -> int | None:
    """Return how a server that this process started has ended; None if it runs or is another's.

    It also lets the kernel forget the process, whose id would otherwise seem alive.
    """
    if (pid := _children.get(cluster.data)) is None:
        return None
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # this process is a fork of the one that started it
        ended, status = 0, 0
    if not ended:
        return None
    del _children[cluster.data]
    return os.waitstatus_to_exitcode(status)


def serving_pid(cluster: Cluster) -> int | None:
    """Return the process id of the cluster's live server, or None.

    A process id alone proves nothing: after a reboot it may be a stranger's, and a dead server
    that nobody has waited for still answers to it. The command line tells.
    """
    pid = _first_number(cluster.pid_file)
    return pid if pid is not None and serves(pid, cluster) else None


def serves(pid: int, cluster: Cluster) -> bool:
    """Whether the process is alive and a server of this cluster."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(cluster.data) in command.split(b"\0")


def forget_dead_server(cluster: Cluster) -> None:
    """Keep a stale process id from stopping the next start; only under the start lock.

    Postgres takes any live process of the same user for its predecessor. The pid file itself
    stays: its shared memory key is how Postgres finds out that a backend of the dead server still
    runs, and waits with the files.
    """
    if _first_number(cluster.pid_file) is None:
        cluster.pid_file.unlink(missing_ok=True)  # half-written: there is no key in it either
    else:
        _, _, rest = cluster.pid_file.read_text().partition("\n")
        cluster.pid_file.write_text(f"{_NO_PROCESS}\n{rest}")
    cluster.socket_lock.unlink(missing_ok=True)


def _first_number(path: Path) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return int(path.read_text().split()[0])
    return None
