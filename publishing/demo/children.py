"""The processes that the demo starts: their logs, their failures, their end."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, NoReturn, Self

from django.conf import settings

from publishing.demo import guardian
from publishing.demo.errors import ChildEndedError

LAST_LINES = 15  # of a failed child's log
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Child:
    """One child process, which leads a process group of its own."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Children:
    """The children of one run; when the block ends, by whatever cause, they end too.

    Args:
        environment: what the children find in their environment.
        grace_seconds: how long they may take to end before they are killed.
        lock: a file descriptor that stays open until all of them have ended.
    """

    def __init__(self, environment: Mapping[str, str], *, grace_seconds: float, lock: int) -> None:
        self._environment = dict(environment)
        self._children: list[Child] = []
        self._grace_seconds = grace_seconds
        self._lock = lock

    def __enter__(self) -> Self:
        with interrupts_postponed():
            self._guardian = self._popen(
                [sys.executable, "-m", "publishing.demo.guardian", str(self._grace_seconds)],
                stdin=subprocess.PIPE,
                pass_fds=[self._lock],
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def start(self, name: str, arguments: Sequence[str], *, pass_fds: Sequence[int] = ()) -> Child:
        """Start `python` with the arguments; what it prints goes to DATA_DIR/{name}.log.

        Args:
            name: of the child and its log.
            arguments: what `python` is given.
            pass_fds: descriptors that it inherits, under their numbers.
        """
        log = settings.DATA_DIR / f"{name}.log"
        with log.open("wb") as output, interrupts_postponed():  # none starts without a guardian
            process = self._popen([sys.executable, *arguments], stdout=output, pass_fds=pass_fds)
            child = Child(name=name, process=process, log=log)
            self._children.append(child)
            self._order(guardian.WATCH, str(process.pid))
        return child

    def stop_postgres_too(self, data_dir: Path) -> None:
        """Let the folder's database server end last."""
        self._order(guardian.STOP_POSTGRES, str(data_dir))

    def check(self) -> None:
        """Raise ChildEndedError if a child is gone."""
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                raise ChildEndedError(
                    f"{child.name} ended with code {code}. The end of {child.log}:\n"
                    + _last_lines(child.log)
                )

    @property
    def logs(self) -> list[Path]:
        """The log files, in the order of the starts."""
        return [child.log for child in self._children]

    def _popen(
        self,
        command: Sequence[str],
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: IO[bytes] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=self._environment,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT if stdout else None,
            pass_fds=pass_fds,
            # Away from the terminal's process group: a Ctrl-C is for the demo, which ends them.
            start_new_session=True,
        )

    def _order(self, order: str, value: str) -> None:
        pipe = self._guardian.stdin
        if pipe is not None:
            pipe.write(f"{order} {value}\n".encode())
            pipe.flush()

    def _end(self) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, self._hurry)
        if self._guardian.stdin is not None:
            self._guardian.stdin.close()
        self._guardian.wait()
        for child in self._children:
            child.process.wait()

    def _hurry(self, number: int, frame: FrameType | None) -> None:
        """A second Ctrl-C: nobody is waited for any more."""
        self._guardian.send_signal(guardian.HURRY)


def interrupt_once(number: int, frame: FrameType | None) -> NoReturn:
    """Handle a stop signal: raise KeyboardInterrupt, and let nothing interrupt the way out."""
    for stop in STOP_SIGNALS:
        signal.signal(stop, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def interrupts_postponed() -> Iterator[None]:
    """Let a stop signal that comes meanwhile take effect at the end of the block."""
    came: list[int] = []
    before = [
        (number, signal.signal(number, lambda number, _frame: came.append(number)))
        for number in STOP_SIGNALS
    ]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        if came:
            interrupt_once(came[0], None)


def wait_until_ended(children: Children, *, look_seconds: float = 0.5) -> None:
    """Stay until a stop signal comes.

    Raises:
        ChildEndedError: a child ended by itself.
    """
    while True:
        children.check()
        time.sleep(look_seconds)


def _last_lines(log: Path) -> str:
    """Return the end of the log, of a traceback only what it says: the rest is in the file."""
    lines = log.read_text(errors="replace").splitlines()
    told = [line for line in lines if line and not line.startswith((" ", "Traceback"))]
    return "\n".join(f"  {line}" for line in told[-LAST_LINES:]) or "  (it printed nothing)"
