"""A small process that ends what the demo started, also when the demo itself is killed.

It stands in a session of its own, so that neither a Ctrl-C in the terminal nor a SIGKILL of the
demo meets it, and reads orders from a pipe. The end of the pipe, for whatever reason, is the
order to clean up: so there is one way to end, and every run takes it.
"""

import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

from publishing.demo.families import end_families
from publishing.embedded_postgres import server

WATCH = "watch"  # and the pid of a process that leads a group of its own
STOP_POSTGRES = "stop-postgres"  # and the DATA_DIR whose server shall be stopped
HURRY = signal.SIGUSR1  # wait for nobody any more

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


if __name__ == "__main__":
    main()
