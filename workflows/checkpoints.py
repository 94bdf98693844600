"""Checkpoints: a driver's durable writes, repeated safely when a connection is lost."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from workflows.claims import Claim
from workflows.connection import EngineConnection
from workflows.errors import LostClaimError
from workflows.models import Outcome, Reason
from workflows.statements import checkpoints as statements


class Checkpoints:
    """The writer of a process: every driver thread's checkpoints go through it."""

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection

    def advance(self, claim: Claim, *, entry: str, output: Any) -> datetime:
        """Record the entry and begin the next; return when that began."""
        return self._write_record(statements.ADVANCE, claim, entry=entry, output=output)

    def complete(self, claim: Claim, *, entry: str, output: Any) -> None:
        """Record the last entry and end the instance."""
        self._write_record(statements.COMPLETE, claim, entry=entry, output=output)

    def retry_later(
        self, claim: Claim, *, entry: str, outcome: Outcome, error: Any, delay: timedelta
    ) -> None:
        """Count a failure and try again after the delay."""
        self._write_try(
            statements.RETRY_LATER, claim, entry=entry, outcome=outcome, error=error, delay=delay
        )

    def give_up(self, claim: Claim, *, entry: str, outcome: Outcome, error: Any) -> None:
        """End the instance as errored."""
        self._write_try(
            statements.GIVE_UP,
            claim,
            entry=entry,
            outcome=outcome,
            error=error,
            kind="errored",
            why=error["message"],
        )

    def park(
        self, claim: Claim, *, entry: str, reason: str, error: Any, due_at: datetime | None
    ) -> None:
        """Put the instance aside for a reason, until a moment or until it is woken."""
        self._write_try(
            statements.PARK,
            claim,
            entry=entry,
            outcome=Outcome.PARKED,
            error=error,
            reason=Reason(reason).value,
            due_at=due_at,
            kind="waiting",
            why=f"{reason}: {error['message']}",
        )

    def sleep(self, claim: Claim, *, entry: str, due_at: datetime) -> None:
        """Wait at an `until` entry; no attempt is counted."""
        parameters = _claimed(claim) | {
            "due_at": due_at,
            "kind": "waiting",
            "why": f"{entry}: sleeps until {due_at.isoformat()}",
        }
        self._expect(self._connection.fetch(statements.SLEEP, parameters), claim)

    def release(
        self, claim: Claim, *, entry: str, error: Any, reason: Reason, delay: timedelta
    ) -> None:
        """Let somebody else go on; the attempt is kept as interrupted and not counted."""
        self._write_try(
            statements.RELEASE,
            claim,
            entry=entry,
            outcome=Outcome.INTERRUPTED,
            error=error,
            reason=reason.value,
            delay=delay,
        )

    def when_recorded(self, claim: Claim, *, entry: str) -> datetime | None:
        """After a lost connection: return when the next try began if this one was recorded."""
        parameters = _claimed(claim) | {"entry": entry}
        self._connection.reconnect(until=lambda: False)
        if not self._connection.fetch(statements.WAS_RECORDED, parameters):
            return None
        began: datetime = self._connection.fetch(statements.CURRENT_TRY, parameters)[0][0]
        return began

    def inputs(self, claim: Claim, entries: list[str]) -> tuple[Any, dict[str, Any]]:
        """Return the envelope's data, and the named entries' outputs by name."""
        parameters = {"instance": claim.instance, "entries": entries}
        try:
            rows = self._connection.fetch(statements.INPUTS, parameters)
        except psycopg.OperationalError:
            self._connection.reconnect(until=lambda: False)
            rows = self._connection.fetch(statements.INPUTS, parameters)
        outputs = {name: data for name, data in rows if name is not None}
        return next(data for name, data in rows if name is None), outputs

    def disown(self, claim: Claim) -> None:
        """Give the instance back, at whatever entry it stands, if this claim still holds it."""
        parameters = {"instance": claim.instance, "fence": claim.fence, "drain": claim.drain}
        try:
            self._connection.fetch(statements.DISOWN, parameters)
        except psycopg.OperationalError:
            self._connection.reconnect(until=lambda: False)
            self._connection.fetch(statements.DISOWN, parameters)

    def _write_record(self, statement: str, claim: Claim, *, entry: str, output: Any) -> datetime:
        parameters = record_parameters(claim, entry=entry, output=output)
        rows = self._write(statement, parameters, was_written=statements.WAS_RECORDED)
        return self._expect(rows, claim)

    def _write_try(self, statement: str, claim: Claim, **columns: Any) -> None:
        columns["error"] = Jsonb(columns["error"])
        parameters = _claimed(claim) | columns
        self._expect(self._write(statement, parameters, was_written=statements.WAS_TRIED), claim)

    def _write(
        self, statement: str, parameters: Mapping[str, Any], *, was_written: str
    ) -> list[tuple[Any, ...]]:
        """Write once, whatever happens to the connection: after a loss the mark is looked for."""
        while True:
            try:
                return self._connection.fetch(statement, parameters)
            except psycopg.OperationalError:
                self._connection.reconnect(until=lambda: False)
            try:
                if self._connection.fetch(was_written, parameters):
                    return self._connection.fetch(statements.CURRENT_TRY, parameters)
            except psycopg.OperationalError:
                continue

    @staticmethod
    def _expect(rows: list[tuple[Any, ...]], claim: Claim) -> datetime:
        if not rows:
            raise LostClaimError(f"{claim.instance_id}: its claim was lost, the write was refused")
        at: datetime = rows[0][0]
        return at


def record_parameters(claim: Claim, *, entry: str, output: Any) -> dict[str, Any]:
    """Return what ADVANCE and COMPLETE bind."""
    return _claimed(claim) | {"entry": entry, "output": Jsonb(output)}


def _claimed(claim: Claim) -> dict[str, Any]:
    return {
        "instance": claim.instance,
        "drain": claim.drain,
        "generation": claim.generation,
        "fence": claim.fence,
        "position": claim.position,
        "attempt": claim.attempt,
        "started_at": claim.attempt_started_at,
    }
