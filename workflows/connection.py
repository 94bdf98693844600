"""Connections of a process: the engine's own, and what a fork must not inherit.

The engine's connections stand outside Django's pool, so that slow steps never starve a beat or
a checkpoint; they alone bind and prepare on the server.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import psycopg
from django.conf import settings
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

from workflows import faults
from workflows.errors import EngineStoppedError
from workflows.statements import Statement

logger = logging.getLogger(__name__)

RECONNECT_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)  # then every 2 s
CONNECT_SECONDS = 5
# A statement is prepared on the server when it is run the second time; behind a pooler, never.
PREPARE_THRESHOLD = 2
# Planning costs more than running them, and every plan is proved to be a good one as it is.
GENERIC_PLANS = "set plan_cache_mode = force_generic_plan"
PING = Statement("connection.ping", "select 1")
Row = tuple[Any, ...]
Fetch = Callable[[Statement, Mapping[str, Any]], list[Row]]
Result = TypeVar("Result")

_inherited_pools: list[object] = []


def _forget_inherited_pools() -> None:
    """Let a forked child make pools of its own: the parent's sockets must not be shared.

    The old ones are kept, unclosed, because closing would end the parent's sessions.
    """
    wrapper: Any = DatabaseWrapper
    _inherited_pools.append(wrapper._connection_pools)  # noqa: SLF001 - no public way
    wrapper._connection_pools = {}  # noqa: SLF001


os.register_at_fork(after_in_child=_forget_inherited_pools)


class EngineConnection:
    """One direct connection, used by one statement or transaction at a time, and mended.

    Statements are sent again after a lost connection only where the caller says how to find out
    what became of the first try.
    """

    def __init__(self, application_name: str) -> None:
        self._name = application_name
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Row] | None = None
        self._is_closed = False

    def fetch(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Row]:
        """Run one statement in a transaction of its own and return its rows.

        Raises:
            psycopg.OperationalError: the connection was lost; the outcome is unknown.
            EngineStoppedError: it was closed.
        """
        with self._lock:
            faults.reach(statement.name, "before")
            rows = self._guarded(lambda connection: _fetch(connection, statement, parameters))
            faults.reach(statement.name, "after")
            return rows

    def fetch_again(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Row]:
        """Run a statement that may be repeated: a second run finds that the first one moved it."""
        while True:
            try:
                return self.fetch(statement, parameters)
            except psycopg.OperationalError:
                self.reconnect(until=lambda: False)

    def fetch_once(
        self,
        statement: Statement,
        parameters: Mapping[str, Any],
        *,
        was_written: Statement,
        outcome: Statement,
        may_be_written: bool = False,
    ) -> list[Row]:
        """Write once, whatever happens to the connection: after a loss its mark is looked for.

        Args:
            statement: what writes.
            parameters: of all three.
            was_written: finds a row if the lost try left its mark.
            outcome: returns then what the lost try would have returned.
            may_be_written: look for the mark first: an earlier try was lost.
        """
        pauses = growing_pauses()
        while True:
            if may_be_written and self.fetch_again(was_written, parameters):
                return self.fetch_again(outcome, parameters)
            try:
                return self.fetch(statement, parameters)
            except psycopg.OperationalError as error:
                logger.warning("a checkpoint is written again: %s", error)
                time.sleep(next(pauses))
                may_be_written = True

    def in_one_transaction(self, work: Callable[[Fetch], Result]) -> Result:
        """Run the work's statements in one transaction; each sees what the others waited for.

        Args:
            work: is given a function that runs a statement and returns its rows.
        """
        sent: list[Statement] = []

        def fetch(
            connection: psycopg.Connection[Row],
            statement: Statement,
            parameters: Mapping[str, Any],
        ) -> list[Row]:
            faults.reach(statement.name, "before")
            rows = _fetch(connection, statement, parameters)
            faults.reach(statement.name, "uncommitted")
            sent.append(statement)
            return rows

        def run(connection: psycopg.Connection[Row]) -> Result:
            with connection.transaction():
                return work(partial(fetch, connection))

        with self._lock:
            result = self._guarded(run)
            for statement in sent:
                faults.reach(statement.name, "after")
            return result

    def reconnect(self, until: Callable[[], bool]) -> None:
        """Connect anew, with growing pauses, unless `until` says that it is over."""
        for pause in growing_pauses():
            if until():
                return
            try:
                self.fetch(PING, {})  # a dead socket shows only when it is used
            except psycopg.OperationalError:
                time.sleep(pause)
            else:
                return

    def close(self) -> None:
        """Close for good: a later statement raises EngineStoppedError."""
        with self._lock:
            self._is_closed = True
            self._drop()

    def _guarded(self, run: Callable[[psycopg.Connection[Row]], Result]) -> Result:
        connection = self._opened()
        try:
            return run(connection)
        except psycopg.Error as error:
            if not (connection.closed or connection.broken):
                raise
            # Some ways to lose a session, such as a transaction that was idle for too long, are
            # no OperationalError for psycopg; for callers a loss is a loss.
            self._drop()
            raise psycopg.OperationalError(str(error)) from error

    def _opened(self) -> psycopg.Connection[Row]:
        if self._is_closed:
            raise EngineStoppedError(f"{self._name} was closed")
        if self._connection is None or self._connection.closed:
            self._connection = _connect(application_name=self._name)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def connection_given_back() -> Iterator[None]:
    """Give the thread's pooled connections back afterwards, whatever happened."""
    try:
        yield
    finally:
        connections.close_all()


def _fetch(
    connection: psycopg.Connection[Row], statement: Statement, parameters: Mapping[str, Any]
) -> list[Row]:
    cursor = connection.execute(statement, parameters)
    return cursor.fetchall() if cursor.description else []


def _connect(application_name: str) -> psycopg.Connection[Row]:
    """Connect as Django would, by the class of its pool, but outside of the pool."""
    wrapper = connections["default"]
    parameters: dict[str, Any] = wrapper.get_connection_params()
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool"):
        parameters.pop(ours, None)
    pool = wrapper.settings_dict["OPTIONS"].get("pool") or {}
    connection_class: type[psycopg.Connection[Row]] = pool.get(
        "connection_class", psycopg.Connection
    )
    connection = connection_class.connect(
        **parameters,
        autocommit=True,
        application_name=application_name,
        connect_timeout=CONNECT_SECONDS,
        prepare_threshold=None if settings.DATABASE_POOLED else PREPARE_THRESHOLD,
    )
    if not settings.DATABASE_POOLED:
        connection.execute(GENERIC_PLANS)
    return connection


def growing_pauses() -> Iterator[float]:
    """Yield the seconds to wait before each further try."""
    yield from RECONNECT_SECONDS
    while True:
        yield RECONNECT_SECONDS[-1]
