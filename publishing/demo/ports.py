"""Which ports of 127.0.0.1 the demo uses."""

import socket
from pathlib import Path

from publishing.demo.errors import PortTakenError

SITE_PORT = 8000
SITE_PORTS_TRIED = 50
# Below what Linux gives to outgoing connections (32768 to 60999), so that it stays free.
SOURCES_PORTS = range(18900, 19100)


def choose_site_port(wanted: int | None) -> int:
    """Return the wanted port, or the first free one from 8000 if none is wanted.

    Raises:
        PortTakenError: the wanted port, or every one that was tried, is taken.
    """
    if wanted is not None:
        if not is_free(wanted):
            raise PortTakenError(
                f"port {wanted} is taken by another program: stop it, or choose another --port"
            )
        return wanted
    for port in range(SITE_PORT, SITE_PORT + SITE_PORTS_TRIED):
        if is_free(port):
            return port
    raise PortTakenError(
        f"ports {SITE_PORT} to {SITE_PORT + SITE_PORTS_TRIED - 1} are all taken: choose a --port"
    )


def keep_port(file: Path) -> int:
    """Return the port that the file names; a first call chooses a free one and writes it there.

    A brief names its sources with their port, so the same brief needs the same port next time.

    Raises:
        PortTakenError: the kept port, or every one that was tried, is taken.
    """
    kept = file.read_text().strip() if file.exists() else ""
    if kept.isdecimal():
        if not is_free(int(kept)):
            raise PortTakenError(
                f"port {kept}, which the sample briefs name, is taken by another program: stop it,"
                f" or delete {file} to choose another"
            )
        return int(kept)
    for port in SOURCES_PORTS:
        if is_free(port):
            file.write_text(f"{port}\n")
            return port
    raise PortTakenError(
        f"ports {SOURCES_PORTS.start} to {SOURCES_PORTS.stop - 1} are all taken: free one of them"
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        # As servers do: connections that linger in TIME_WAIT keep nobody from listening.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
        return True
