"""A database for one bench: made beside the operator's, migrated, and dropped at its end."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, cast

from django.core.management import call_command
from django.db import ProgrammingError, connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg import sql

from publishing.benches.report import BenchError


@contextmanager
def scratch_database() -> Iterator[None]:
    """Point this process, and threads and forks that it starts, at an empty database.

    Raises:
        BenchError: the role may not create databases.
    """
    signal.signal(signal.SIGTERM, _end)
    operators = connection.settings_dict["NAME"]
    name = f"presswork_bench_{os.getpid()}"
    _create(name)
    try:
        _point_at(name)
        call_command("migrate", verbosity=0, interactive=False)
        yield
    finally:
        _point_at(operators)
        _run("drop database {} with (force)", name)


def let_connections_go() -> None:
    """Close every connection of this process, the pool's too, so that it can fork."""
    connections.close_all()
    cast("DatabaseWrapper", connection).close_pool()


def _end(number: int, frame: object) -> NoReturn:
    """End as an exception does, so that the database is dropped."""
    raise SystemExit(128 + number)


def _create(name: str) -> None:
    try:
        _run("create database {}", name)
    except ProgrammingError as error:
        raise BenchError(
            f"a bench makes a database of its own, and that failed: {error}. Grant the role "
            "CREATEDB, or run it on the embedded server (without DATABASE_URL)"
        ) from error


def _run(statement: str, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))


def _point_at(name: str) -> None:
    let_connections_go()
    connection.settings_dict["NAME"] = name  # the one dictionary that all threads read
