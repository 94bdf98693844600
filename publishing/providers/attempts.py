"""What every paid provider is lent for one request, and what it hands back.

The ledger opens an attempt after its hold is committed; a provider refuses to send without one.
"""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from workflows.errors import NonRetryableError, WorkflowError


@dataclass(frozen=True)
class Reply:
    """The answer of a paid request, as it came.

    Attributes:
        answer: the provider's JSON, whole; it becomes the memo.
        usage: the part of it that is priced; empty where the provider named none.
    """

    answer: Mapping[str, Any]
    usage: Mapping[str, Any]
    request_id: str


class SendError(Exception):
    """A paid request brought no answer.

    Attributes:
        error: what the engine is told: to try again, or to stop.
        may_be_billed: False only where it is certain that nothing was paid.
    """

    def __init__(self, error: WorkflowError, *, may_be_billed: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.may_be_billed = may_be_billed


@dataclass
class Attempt:
    """The right to send one request, until a deadline.

    Attributes:
        call: number of the ledger's open hold, for messages.
        ends_at: `time.monotonic()` from which the request's connection is closed.
    """

    call: int
    ends_at: float
    _sent: bool = False
    _socket: socket.socket | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def seconds_left(self) -> float:
        """Return the time left, never negative."""
        return max(0.0, self.ends_at - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Say whether the deadline has passed."""
        return self.seconds_left == 0

    def take(self) -> None:
        """Use the one request that this attempt allows.

        Raises:
            SendError: it was used already; nothing is sent.
        """
        if self._sent:
            raise _refusal(f"call {self.call} has sent its one request already")
        self._sent = True

    def watch(self, connection: socket.socket) -> None:
        """Name the connection that is closed at the deadline."""
        with self._lock:
            self._socket = connection

    def cut(self) -> None:
        """Close the connection's both ways, so that whoever reads or writes it is woken."""
        with self._lock:
            if self._socket is not None and self._socket.fileno() >= 0:
                _shut(self._socket)

    def forget(self) -> None:
        """Leave the connection alone from now on: its number may be another's soon."""
        with self._lock:
            self._socket = None


_current: ContextVar[Attempt | None] = ContextVar("paid_attempt", default=None)


@contextmanager
def open_attempt(call: int, timeout: timedelta) -> Iterator[Attempt]:
    """Allow one paid request in this thread; its connection is closed after `timeout`."""
    attempt = Attempt(call=call, ends_at=time.monotonic() + timeout.total_seconds())
    timer = threading.Timer(timeout.total_seconds(), attempt.cut)
    timer.daemon = True
    token = _current.set(attempt)
    timer.start()
    try:
        yield attempt
    finally:
        _current.reset(token)
        timer.cancel()
        attempt.forget()


def current_attempt() -> Attempt:
    """Return the open attempt of this thread.

    Raises:
        SendError: there is none, so nothing was reserved; nothing is sent.
    """
    attempt = _current.get()
    if attempt is None:
        raise _refusal("a paid request without an open hold; send it through publishing.ledger")
    return attempt


def _refusal(message: str) -> SendError:
    return SendError(NonRetryableError(message), may_be_billed=False)


def _shut(connection: socket.socket) -> None:
    try:
        # Not SSLSocket.shutdown, which drops the TLS state that the reading thread still uses.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError as error:
        if error.errno not in _GONE:
            raise


_GONE = {9, 57, 107}  # EBADF and ENOTCONN (macOS, Linux): the other side was first
