"""Records: what a finished entry leaves, and how it is written, alone or among others."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from workflows.claims import Claim
from workflows.statements import Statement
from workflows.statements import checkpoints as statements

_TRUTH = {True: "true", False: "false"}


@dataclass(frozen=True)
class Record:
    """A finished entry, as it is written.

    Attributes:
        output: JSON, or the text of JSON.
        event: primary key of the event that a wait took with it.
    """

    entry: str
    output: Any
    sensitive: bool = False
    event: int | None = None

    @property
    def text(self) -> str:
        """The output as it is sent."""
        return self.output if isinstance(self.output, JsonText) else json.dumps(self.output)


class JsonText(str):
    """JSON as text: a step's output, which is parsed only where a later step takes it."""

    __slots__ = ()


@dataclass(frozen=True)
class Moved:
    """Where a record has left the instance.

    Attributes:
        at: when the entry ended and the next began, on the database's clock.
        goes_on: False where the instance is complete or paused, or another's by now.
        inbox: how many events had been sent to it.
    """

    at: datetime
    goes_on: bool
    inbox: int


def record_statement(record: Record, *, is_last: bool) -> Statement:
    """Return the statement that writes the record, and takes its event."""
    if record.event is None:
        return statements.COMPLETE if is_last else statements.ADVANCE
    return statements.COMPLETE_WITH_EVENT if is_last else statements.ADVANCE_WITH_EVENT


def record_parameters(claim: Claim, record: Record) -> dict[str, Any]:
    """Return what that statement binds."""
    parameters = claimed(claim) | {
        "entry": record.entry,
        "output": Jsonb(record.text, dumps=_as_it_is),
        "sensitive": record.sensitive,
    }
    return parameters if record.event is None else parameters | {"event": record.event}


def record_line(claim: Claim, record: Record, *, is_last: bool) -> str:
    """Return what the statement for many reads of it: a JSON object, but for its first brace.

    An entry's name is of a-z, 0-9 and _, so that nothing but the output needs JSON's own rules.
    """
    return (
        f'"instance": {claim.instance}, "fence": {claim.fence}, "position": {claim.position}, '
        f'"attempt": {claim.attempt}, "drain": {claim.drain}, "entry": "{record.entry}", '
        f'"started_at": "{claim.attempt_started_at.isoformat()}", '
        f'"sensitive": {_TRUTH[record.sensitive]}, "is_last": {_TRUTH[is_last]}, '
        f'"output": {record.text}}}'
    )


def _as_it_is(text: str) -> str:
    return text


def claimed(claim: Claim) -> dict[str, Any]:
    """Return what every checkpoint binds: which try of which instance may write."""
    return {
        "instance": claim.instance,
        "drain": claim.drain,
        "generation": claim.generation,
        "fence": claim.fence,
        "position": claim.position,
        "attempt": claim.attempt,
        "started_at": claim.attempt_started_at,
    }
