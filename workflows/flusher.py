"""Group commit: the checkpoints of many driver threads in one statement, which all wait for.

Durability is what it is without it: nobody is answered before the commit. A checkpoint that meets
nobody is written at once, by its own thread and as a single row; those that come while a commit is
under way gather, and the flusher's thread writes them together as soon as it is over.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from workflows.connection import EngineConnection, Row
from workflows.errors import EngineStoppedError
from workflows.statements import Statement
from workflows.statements import checkpoints as statements
from workflows.statements.records import RECORD_MANY

logger = logging.getLogger(__name__)

ITEMS_MAX = 64  # a batch; more gain nothing and hold their rows longer
CHARACTERS_MAX = 4 * 1024 * 1024  # of a batch; an output may have 1 MiB


@dataclass(eq=False)
class Item:
    """One checkpoint on its way.

    Attributes:
        instance: primary key.
        line: the checkpoint as `record_many` reads it: a JSON object, but for its first brace.
        alone: returns the statement that writes it alone, and what that binds.
        rows: what that statement has returned, or would have.
        error: why it was not written.
        written: held until there is one of the two.
    """

    instance: int
    line: str
    alone: Callable[[], tuple[Statement, Mapping[str, Any]]]
    rows: list[Row] = field(default_factory=list)
    error: BaseException | None = None
    written: threading.Lock = field(default_factory=threading.Lock)


class Flusher:
    """The writer of a worker process's step records; made after the fork, one a drain."""

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._gathered: deque[Item] = deque()
        self._is_writing = False
        self._is_closed = False
        self._wanted = threading.Lock()  # released to wake the thread
        self._wanted.acquire()
        self._thread: threading.Thread | None = None

    def write(self, item: Item) -> list[Row]:
        """Write it, alone or in company, and return what its own statement returns: its row.

        No row: the claim was lost, and nothing was written. What is wrong with one item is told
        to its own caller; the others of its batch are written.

        Raises:
            EngineStoppedError: the flusher was closed before it could be written.
        """
        if self._may_write_now(item):
            try:
                self._write_singly([item])
            finally:
                self._pass_on()
        else:
            item.written.acquire()  # until the thread has written it
        if item.error is not None:
            raise item.error
        return item.rows

    def close(self) -> None:
        """End: who waits for a commit that has not begun is told so, and so is who comes later."""
        with self._lock:
            self._is_closed = True
            left, self._gathered = self._gathered, deque()
            self._wake()
        for item in left:
            item.error = EngineStoppedError("the flusher was closed")
            item.written.release()
        self._connection.close()

    def _may_write_now(self, item: Item) -> bool:
        """Take the turn if nobody writes, else join those who wait."""
        with self._lock:
            if self._is_closed:
                raise EngineStoppedError("the flusher was closed")
            if not self._is_writing:
                self._is_writing = True
                return True
            item.written.acquire()
            self._gathered.append(item)
            return False

    def _pass_on(self) -> None:
        """Leave the turn to the thread if somebody has gathered."""
        with self._lock:
            self._is_writing = bool(self._gathered)
            if not self._is_writing:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="flusher", daemon=True)
                self._thread.start()
            self._wake()

    def _wake(self) -> None:
        """Wake the thread, once however often it is asked; the lock is held."""
        if self._wanted.locked():
            self._wanted.release()

    def _run(self) -> None:
        while not self._is_closed:
            self._wanted.acquire()
            while batch := self._take():
                self._write(batch)
                for item in batch:
                    item.written.release()

    def _take(self) -> list[Item]:
        """Return the next batch; with none the turn is free."""
        batch: dict[int, Item] = {}
        characters = 0
        with self._lock:
            while self._gathered and len(batch) < ITEMS_MAX:
                item = self._gathered[0]
                characters += len(item.line)
                # One item an instance: an abandoned thread may still write for one of another's.
                if batch and (characters > CHARACTERS_MAX or item.instance in batch):
                    break
                batch[item.instance] = self._gathered.popleft()
            self._is_writing = bool(batch)
        return list(batch.values())

    def _write(self, batch: Sequence[Item]) -> None:
        if len(batch) == 1:
            self._write_singly(batch)
            return
        try:
            rows = self._connection.fetch(RECORD_MANY, {"items": _joined(batch)})
        except psycopg.Error as error:
            # Lost, refused for one that is bad, or a victim of a deadlock: each one alone finds
            # out what became of it, and only the bad one fails. The message may quote an output.
            kind = type(error).__name__
            logger.warning("%s checkpoints are written one by one: %s", len(batch), kind)
            self._write_singly(batch, may_be_written=True)
        except BaseException as error:  # noqa: BLE001 - told to each that waits for it
            for item in batch:
                item.error = error
        else:
            for place, *row in rows:
                batch[place - 1].rows = [tuple(row)]

    def _write_singly(self, batch: Sequence[Item], *, may_be_written: bool = False) -> None:
        for item in batch:
            try:
                statement, parameters = item.alone()
                item.rows = self._connection.fetch_once(
                    statement,
                    parameters,
                    was_written=statements.WAS_RECORDED,
                    outcome=statements.CURRENT_TRY,
                    may_be_written=may_be_written,
                )
            except BaseException as error:  # noqa: BLE001 - told to its caller
                item.error = error


def _joined(batch: Sequence[Item]) -> str:
    """Return the items as one JSON array, each with its place in it, from 1."""
    lines = (f'{{"place": {place}, {item.line}' for place, item in enumerate(batch, 1))
    return f"[{', '.join(lines)}]"
