"""Making a cluster's data and starting its server; the caller holds the start lock."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from publishing.embedded_postgres.account import Account, account_for
from publishing.embedded_postgres.cluster import (
    MAINTENANCE_DATABASE,
    PORT,
    USER,
    Cluster,
    binary,
    check_socket_folder,
    check_version,
)
from publishing.embedded_postgres.errors import EmbeddedPostgresError
from publishing.embedded_postgres.probing import answers
from publishing.embedded_postgres.processes import (
    exit_code_of_child,
    forget_dead_server,
    remember_child,
    serving_pid,
)

MAX_CONNECTIONS = 200
_START_SECONDS = 120  # a large recovery after a crash; a healthy start takes 0.2 s
_LOOK_SECONDS = 0.02
_BACKEND_OF_DEAD_SERVER = "is still in use"  # Postgres's words about the shared memory


def start(cluster: Cluster, *, lock: int) -> bool:
    """Start the server; return False if one that was not ready yet runs already.

    Args:
        lock: the open start lock, which initdb inherits.
    """
    account = account_for(cluster)
    if not cluster.data.exists():
        _make_data(cluster, account, lock)
    check_version(cluster)
    _make_socket_folder(cluster, account)
    return _serve(cluster, account)


def looks(seconds: float) -> Iterator[None]:
    """Yield every now and then until the time is over."""
    for _ in range(int(seconds / _LOOK_SECONDS)):
        yield
        time.sleep(_LOOK_SECONDS)


def _make_data(cluster: Cluster, account: Account, lock: int) -> None:
    """Make the data directory under another name, then rename it: half of one never stands.

    initdb inherits the lock, so that nobody starts beside one whose starter was killed.
    """
    for half_made in cluster.folder.glob("new-*"):
        shutil.rmtree(half_made)
    fresh = Path(tempfile.mkdtemp(prefix="new-", dir=cluster.folder))
    account.give(fresh)
    finished = subprocess.run(
        [
            *(*account.prefix, str(binary("initdb")), "--pgdata", str(fresh)),
            *("--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(),
        cwd="/",
        pass_fds=[lock],
        start_new_session=True,
        check=False,
    )
    if finished.returncode != 0:
        shutil.rmtree(fresh)
        raise _failure("initdb", finished.returncode, finished.stdout)
    fresh.rename(cluster.data)
    folder = os.open(cluster.folder, os.O_RDONLY)
    os.fsync(folder)  # the new name too must outlive a power cut
    os.close(folder)


def _make_socket_folder(cluster: Cluster, account: Account) -> None:
    folder = cluster.socket_folder
    try:
        folder.mkdir(mode=0o700)
        account.give(folder)
    except FileExistsError:
        if folder.lstat().st_uid == os.geteuid():  # perhaps root died before giving it away
            check_socket_folder(cluster, uid=os.geteuid())
            account.give(folder)
    check_socket_folder(cluster, uid=account.uid)


def _serve(cluster: Cluster, account: Account) -> bool:
    """Wait for a server that answers, and start one whenever none is alive.

    Again, that is, while Postgres refuses because a backend of a killed server still runs.
    """
    started, log_size = False, 0
    for _ in looks(_START_SECONDS):
        if answers(cluster, MAINTENANCE_DATABASE):
            return started
        if (code := exit_code_of_child(cluster)) is not None and started:
            started, printed = False, _log_since(cluster, log_size)
            if _BACKEND_OF_DEAD_SERVER.encode() not in printed:
                raise _failure("Postgres", code, printed)
        if not started and serving_pid(cluster) is None:
            forget_dead_server(cluster)
            log_size = cluster.log.stat().st_size if cluster.log.exists() else 0
            remember_child(cluster, _spawn(cluster, account))
            started = True
    raise EmbeddedPostgresError(
        f"Postgres did not answer within {_START_SECONDS} s; {cluster.log} may say why. "
        "`make stop` and another try may help; or set DATABASE_URL."
    )


def _spawn(cluster: Cluster, account: Account) -> int:
    """Start the server process: no shell, so that no character of a path means anything to it.

    Not by `subprocess`, whose objects complain about a process that is to outlive them.
    """
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(cluster.socket_folder),
        "max_connections": str(MAX_CONNECTIONS),
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    postgres = (str(binary("postgres")), "-D", str(cluster.data), "-p", str(PORT))
    command = [*account.prefix, *postgres, *options]
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        command[0],
        command,
        _environment(),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(cluster.log), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _environment() -> dict[str, str]:
    """Return what Postgres needs of the environment: no PGPORT or PGDATA, and no API key."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C"}


def _log_since(cluster: Cluster, size: int) -> bytes:
    with cluster.log.open("rb") as log:
        log.seek(size)
        return log.read()


def _failure(program: str, code: int, printed: bytes) -> EmbeddedPostgresError:
    lines = printed.decode(errors="replace").strip().splitlines()[-5:]
    return EmbeddedPostgresError(
        f"{program} ended with {code}: {' / '.join(lines) or 'it printed nothing'}. "
        "Mend that, set another DATA_DIR, or set DATABASE_URL."
    )
