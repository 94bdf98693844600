"""Checkpoints: a driver's durable writes, repeated safely when a connection is lost."""

import json
import logging
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from workflows.claims import Claim
from workflows.connection import EngineConnection, Row, growing_pauses
from workflows.errors import LostClaimError, plain
from workflows.models import Outcome, Reason
from workflows.registry import code_version
from workflows.statements import checkpoints as statements

logger = logging.getLogger(__name__)


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

    def release(self, claim: Claim, *, entry: str, why: str) -> None:
        """Let somebody else go on at once; the attempt is kept as interrupted, not counted."""
        self._write_try(
            statements.RELEASE,
            claim,
            entry=entry,
            outcome=Outcome.INTERRUPTED,
            error={"type": "Interrupted", "message": why},
        )

    def release_quietly(self, claim: Claim, *, entry: str, why: str) -> None:
        """Release an attempt that another thread may be ending at this moment."""
        try:
            self.release(claim, entry=entry, why=why)
        except LostClaimError:
            logger.info("%s ended just in time", claim.instance_id)

    def leave_to_newer(self, claim: Claim, *, error: Any, delay: timedelta) -> None:
        """Leave what this code cannot run to other code: after the delay, or when some comes."""
        parameters = _claimed(claim) | {
            "error": _storable(error),
            "delay": delay,
            "code_version": code_version(),
            "kind": "waiting",
            "why": plain(f"code: {error['message']}"),
        }
        self._expect(self._fetch_again(statements.LEAVE_TO_NEWER, parameters), claim)

    def when_recorded(self, claim: Claim, *, entry: str) -> datetime | None:
        """After a lost connection: return when the next try began if this one was recorded."""
        parameters = _claimed(claim) | {"entry": entry}
        if not self._fetch_again(statements.WAS_RECORDED, parameters):
            return None
        began: datetime = self._fetch_again(statements.CURRENT_TRY, parameters)[0][0]
        return began

    def inputs(self, claim: Claim, entries: list[str]) -> tuple[Any, dict[str, Any]]:
        """Return the envelope's data, and the named entries' outputs by name."""
        parameters = {"instance": claim.instance, "entries": entries}
        rows = self._fetch_again(statements.INPUTS, parameters)
        outputs = {name: data for name, data in rows if name is not None}
        return next(data for name, data in rows if name is None), outputs

    def disown(self, claim: Claim, *, error: Any) -> None:
        """Give the instance back, at whatever entry it stands, if this claim still holds it.

        It counts as a crash, so that what no driver can bear ends errored.
        """
        parameters = _claimed(claim) | {"error": _storable(error)}
        self._fetch_again(statements.DISOWN, parameters)

    def relinquish(self, claim: Claim) -> None:
        """Give the instance back at once if it is still this claim's, wherever it stands.

        A commit that was read back as lost may have come through afterwards.
        """
        self._fetch_again(statements.RELINQUISH, _claimed(claim))

    def _fetch_again(self, statement: str, parameters: Mapping[str, Any]) -> list[Row]:
        """Run a statement that may be repeated: a second run finds that the first one moved it."""
        while True:
            try:
                return self._connection.fetch(statement, parameters)
            except psycopg.OperationalError:
                self._connection.reconnect(until=lambda: False)

    def _write_record(self, statement: str, claim: Claim, *, entry: str, output: Any) -> datetime:
        parameters = record_parameters(claim, entry=entry, output=output)
        rows = self._write(statement, parameters, was_written=statements.WAS_RECORDED)
        return self._expect(rows, claim)

    def _write_try(self, statement: str, claim: Claim, **columns: Any) -> None:
        columns["error"] = _storable(columns["error"])
        if "why" in columns:
            columns["why"] = plain(columns["why"])
        parameters = _claimed(claim) | columns
        self._expect(self._write(statement, parameters, was_written=statements.WAS_TRIED), claim)

    def _write(
        self, statement: str, parameters: Mapping[str, Any], *, was_written: str
    ) -> list[Row]:
        """Write once, whatever happens to the connection: after a loss the mark is looked for."""
        pauses = growing_pauses()
        while True:
            try:
                return self._connection.fetch(statement, parameters)
            except psycopg.OperationalError as error:
                logger.warning("a checkpoint is written again: %s", error)
                time.sleep(next(pauses))
            if self._fetch_again(was_written, parameters):
                return self._fetch_again(statements.CURRENT_TRY, parameters)

    @staticmethod
    def _expect(rows: list[Row], claim: Claim) -> datetime:
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


def _storable(error: Any) -> Jsonb:
    """Return an error as JSON that Postgres takes, whatever a step put into it."""
    text = json.dumps(error, default=str)
    return Jsonb(_without_odd_characters(json.loads(text, parse_constant=str)))


def _without_odd_characters(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list):
        return [_without_odd_characters(item) for item in value]
    if isinstance(value, dict):
        return {plain(name): _without_odd_characters(item) for name, item in value.items()}
    return value
