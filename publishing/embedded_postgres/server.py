"""The life of the embedded server: joined or started by whoever connects first, stopped by name.

Whether it is up is found out by connecting. A lock per cluster lets one process at a time start or
stop it. The server runs in a session of its own, so that a signal to a worker's process group
does not reach it, and it outlives the process that started it.
"""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from psycopg import errors, sql

from publishing.embedded_postgres.cluster import (
    DATABASE,
    MAINTENANCE_DATABASE,
    Cluster,
    check_socket_folder,
    cluster_of,
)
from publishing.embedded_postgres.errors import EmbeddedPostgresError
from publishing.embedded_postgres.probing import answers, connect
from publishing.embedded_postgres.processes import (
    exit_code_of_child,
    is_our_child,
    serves,
    serving_pid,
)
from publishing.embedded_postgres.starting import looks, start

_STOP_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    socket_folder: Path
    started_here: bool


def ensure(data_dir: Path) -> Server:
    """Join the server of DATA_DIR, or start it; its database exists afterwards.

    Raises:
        EmbeddedPostgresError: it cannot be started or reached.
    """
    cluster = cluster_of(data_dir)
    with _explained(cluster):
        if _is_up(cluster):
            return Server(cluster.socket_folder, started_here=False)
        with _locked(cluster) as lock:
            started_here = not _is_up(cluster) and start(cluster, lock=lock)
            _make_database(cluster)
            return Server(cluster.socket_folder, started_here)


def stop(data_dir: Path) -> bool:
    """End the server of DATA_DIR and all its connections; return whether one was running."""
    cluster = cluster_of(data_dir)
    with _explained(cluster):
        if not cluster.data.exists():
            return False
        with _locked(cluster):
            return (pid := serving_pid(cluster)) is not None and _end(cluster, pid)


def stop_if_started_here(data_dir: Path) -> bool:
    """End the server of DATA_DIR if it was this process that started it; return whether so."""
    cluster = cluster_of(data_dir)
    return is_our_child(cluster, serving_pid(cluster)) and stop(data_dir)


@contextmanager
def _explained(cluster: Cluster) -> Iterator[None]:
    """Say what to do about a file that cannot be read, made or run."""
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The embedded Postgres of {cluster.data_dir} cannot be used: {error}. Work as the "
            "user who made that folder, set another DATA_DIR, or set DATABASE_URL."
        ) from error


@contextmanager
def _locked(cluster: Cluster) -> Iterator[int]:
    """Hold the cluster's lock, whose file and folder are made first if they are missing."""
    cluster.data_dir.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        cluster.folder.mkdir()
        cluster.folder.chmod(0o755)  # whatever the umask: root's server is another user
    with cluster.lock.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _is_up(cluster: Cluster) -> bool:
    """Whether the server answers, asked only where nobody else can have put a socket."""
    if not cluster.data.exists() or not cluster.socket_folder.exists():
        return False
    check_socket_folder(cluster, uid=cluster.data.stat().st_uid)
    return answers(cluster, DATABASE)


def _make_database(cluster: Cluster) -> None:
    if answers(cluster, DATABASE):
        return
    with connect(cluster, MAINTENANCE_DATABASE) as connection, suppress(errors.DuplicateDatabase):
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _end(cluster: Cluster, pid: int) -> bool:
    os.kill(pid, signal.SIGINT)  # Postgres's "fast" shutdown: it rolls back and writes out
    for _ in looks(_STOP_SECONDS):
        exit_code_of_child(cluster)
        if not serves(pid, cluster):
            with suppress(OSError):  # the folder is made anew at the next start
                cluster.socket_folder.rmdir()
            return True
    raise EmbeddedPostgresError(
        f"Postgres (process {pid}) did not end within {_STOP_SECONDS} s; {cluster.log} may say "
        f"why. `kill -QUIT {pid}` ends it at once, and the next start recovers what was committed."
    )
