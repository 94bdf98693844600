"""A named statement, and its way through Django's own connection."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import connection, transaction

from workflows import faults


class Statement(str):
    """SQL with a name, such as `checkpoints.advance`.

    Attributes:
        name: module and constant in lower case; unique.
    """

    __slots__ = ("name",)
    name: str

    def __new__(cls, name: str, sql: str) -> "Statement":
        """Return the SQL, knowing its name."""
        made = super().__new__(cls, sql)
        made.name = name
        return made


def execute(statement: Statement, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run it on the thread's Django connection, in the caller's transaction if there is one."""
    faults.reach(statement.name, "before")
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows = cursor.fetchall() if cursor.description else []
    if connection.in_atomic_block:
        faults.reach(statement.name, "uncommitted")
    transaction.on_commit(partial(faults.reach, statement.name, "after"))
    return rows
