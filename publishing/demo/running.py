"""The platform, running on this machine: what `demo` and `dev` have in common."""

import fcntl
import os
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx2
from django.conf import settings
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

from publishing.demo.briefs import serve_sources
from publishing.demo.children import Children, interrupts_postponed
from publishing.demo.errors import AlreadyRunningError, PortTakenError, SilentSiteError
from publishing.demo.preparing import prepare_database
from publishing.embedded_postgres import server

HOST = "127.0.0.1"
SITE_PORT = 8000
SITE_PORTS_TRIED = 50
# Below what Linux gives to outgoing connections (32768 to 60999), so that it stays free.
SOURCES_PORTS = range(18900, 19100)
EMBEDDED = "publishing.embedded_postgres"  # the database engine; any other server is not ours
# The control socket would lie in the home folder, where two demos would share it.
GUNICORN = (
    "-m", "gunicorn", "publishing.wsgi", "--workers", "2", "--threads", "4", "--no-control-socket"
)  # fmt: skip
ANSWERS_WITHIN_SECONDS = 60.0
LOOK_SECONDS = 0.1
GRACE_SECONDS = 5  # of steps in flight at the end; what they had finished is kept anyway
ENDS_WITHIN_SECONDS = 20.0  # more than the grace, for the workers' own way out


@dataclass(frozen=True)
class Platform:
    """A platform whose database is ready and whose processes may be started.

    Attributes:
        address: scheme, host and port of the site.
        sources: address of the server with the source pages.
        listener: the socket that the site's port is held with from the first moment on, so that
            no other program, and no other demo, takes it meanwhile.
    """

    address: str
    sources: str
    children: Children
    listener: socket.socket

    def start_site(self) -> None:
        """Start gunicorn and return when the site answers."""
        held = self.listener.fileno()
        self.children.start(
            "site",
            [*GUNICORN, "--bind", f"fd://{held}"],
            pass_fds=[held],
        )
        self._wait_until_it_answers()

    def start_workers(self) -> int:
        """Start the workers; return the pid of their head."""
        child = self.children.start("workers", ["manage.py", "qcluster"])
        return child.process.pid

    def _wait_until_it_answers(self) -> None:
        limit = time.monotonic() + ANSWERS_WITHIN_SECONDS
        while time.monotonic() < limit:
            self.children.check()
            try:
                httpx2.get(f"{self.address}/robots.txt", trust_env=False).raise_for_status()
            except httpx2.TransportError:
                time.sleep(LOOK_SECONDS)
            else:
                return
        raise SilentSiteError(
            f"{self.address} did not answer within {ANSWERS_WITHIN_SECONDS:.0f} s:"
            f" see {self.children.logs[-1]}"
        )


@contextmanager
def platform(
    *, port: int | None, environment: Mapping[str, str], tell: Callable[[str], None]
) -> Iterator[Platform]:
    """Prepare the database and serve the source pages; everything ends with the block.

    Args:
        port: of the site; None takes the first free one.
        environment: what the children get beyond this process's own environment.
        tell: prints what takes a while, when it begins.

    Raises:
        AlreadyRunningError: another demo or dev runs on this DATA_DIR.
        PortTakenError: a port that has to be free is taken.
    """
    with ExitStack() as stack:
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        lock = stack.enter_context(_only_one(settings.DATA_DIR / "running.lock"))
        listener = stack.enter_context(_hold_site_port(port))
        address = f"http://{HOST}:{listener.getsockname()[1]}"
        sources = stack.enter_context(_serve_sources(settings.DATA_DIR / "sources.port"))
        children = stack.enter_context(
            Children(
                {**_environment(address, sources), **environment},
                grace_seconds=ENDS_WITHIN_SECONDS,
                lock=lock,
            )
        )
        stack.callback(_close_connections)
        _prepare(children, tell)
        yield Platform(address, sources, children, listener)


@contextmanager
def _only_one(file: Path) -> Iterator[int]:
    """Hold the lock; yield its descriptor, which the guardian holds too until it is done."""
    with file.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(
                f"another demo or dev runs on {settings.DATA_DIR}: stop it, or set DATA_DIR to"
                " another folder"
            ) from None
        yield held.fileno()


def _hold_site_port(wanted: int | None) -> socket.socket:
    """Listen on the wanted port, or on the first free one from 8000 if none is wanted.

    Raises:
        PortTakenError: the wanted port, or every one that was tried, is taken.
    """
    if wanted is not None:
        if held := _listen(wanted):
            return held
        raise PortTakenError(
            f"port {wanted} is taken by another program: stop it, or choose another --port"
        )
    for port in range(SITE_PORT, SITE_PORT + SITE_PORTS_TRIED):
        if held := _listen(port):
            return held
    raise PortTakenError(
        f"ports {SITE_PORT} to {SITE_PORT + SITE_PORTS_TRIED - 1} are all taken: choose a --port"
    )


def _listen(port: int) -> socket.socket | None:
    """Return a socket that listens there, or None if another one does."""
    held = socket.socket()
    # As servers do: connections that linger in TIME_WAIT keep nobody from listening.
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((HOST, port))
        held.listen()
    except (OSError, OverflowError):
        held.close()
        return None
    return held


@contextmanager
def _serve_sources(file: Path) -> Iterator[str]:
    """Serve the source pages on the port that the file names; a first call chooses and keeps one.

    A brief names its sources with their port, so the same brief needs the same port next time.

    Raises:
        PortTakenError: the kept port, or every one that was tried, is taken.
    """
    kept = file.read_text().strip() if file.exists() else ""
    with ExitStack() as stack:
        for port in [int(kept)] if kept.isdecimal() else _ports_to_try():
            try:
                address = stack.enter_context(serve_sources(port))
            except (OSError, OverflowError):
                continue
            file.write_text(f"{port}\n")
            yield address
            return
    if kept:
        raise PortTakenError(
            f"port {kept}, which the sample briefs name, is taken by another program: stop it,"
            f" or delete {file} to choose another"
        )
    raise PortTakenError(
        f"ports {SOURCES_PORTS.start} to {SOURCES_PORTS.stop - 1} are all taken: free one of them"
    )


def _ports_to_try() -> list[int]:
    """Return the sources' ports, from one that depends on the folder: two folders seldom meet."""
    first = zlib.crc32(os.fsencode(settings.DATA_DIR)) % len(SOURCES_PORTS)
    return [*SOURCES_PORTS[first:], *SOURCES_PORTS[:first]]


def _environment(address: str, sources: str) -> dict[str, str]:
    host = sources.removeprefix("http://")
    allowed = [other for other in settings.FETCH_ALLOW_HOSTS if other != host]
    return {
        "WORKFLOWS_GRACE_SECONDS": str(GRACE_SECONDS),
        **os.environ,
        "SITE_URL": address,
        "FETCH_ALLOW_HOSTS": ",".join([*allowed, host]),
        "PYTHONUNBUFFERED": "1",  # so that a log holds a child's last words
    }


def _prepare(children: Children, tell: Callable[[str], None]) -> None:
    """Prepare the database; a server that was started for it ends with the children."""
    if settings.DATABASES["default"]["ENGINE"] == EMBEDDED:
        tell("starting the database …")
        with interrupts_postponed():  # a server that nobody was told of would stay
            if server.ensure(settings.DATA_DIR).started_here:
                children.stop_postgres_too(settings.DATA_DIR)
    tell("preparing tables and lanes …")
    prepare_database()
    _close_connections()  # the processes that follow have their own


def _close_connections() -> None:
    connections.close_all()
    cast("DatabaseWrapper", connections["default"]).close_pool()
