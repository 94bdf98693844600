"""Checkpoints: a driver's durable writes, repeated safely when a connection is lost."""

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from workflows.claims import Claim
from workflows.connection import EngineConnection, Row, growing_pauses
from workflows.errors import LostClaimError, plain
from workflows.models import Outcome, Reason
from workflows.registry import code_version
from workflows.retries import RetryPolicy
from workflows.statements import Statement
from workflows.statements import checkpoints as statements

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """A finished entry, as it is written.

    Attributes:
        output: JSON.
        event: primary key of the event that a wait took with it.
    """

    entry: str
    output: Any
    sensitive: bool = False
    event: int | None = None


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


class Checkpoints:
    """The writer of a process: every driver thread's checkpoints go through it.

    Attributes:
        counts: attempts that ended, by outcome; a record counts as `recorded`.
    """

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection
        self.counts: Counter[str] = Counter()

    def record(self, claim: Claim, record: Record, *, is_last: bool) -> Moved:
        """Record the entry, and begin the next or end the instance."""
        parameters = record_parameters(claim, record)
        statement = record_statement(record, is_last=is_last)
        rows = self._write(statement, parameters, was_written=statements.WAS_RECORDED)
        moved = Moved(*self._expect(rows, claim))
        self.counts["recorded"] += 1
        return moved

    def retry_later(
        self,
        claim: Claim,
        *,
        entry: str,
        policy: RetryPolicy,
        outcome: Outcome,
        error: Any,
        delay: timedelta,
    ) -> None:
        """Count a failure and try again after the delay, under the policy of the first one."""
        self._write_try(
            statements.RETRY_LATER,
            claim,
            entry=entry,
            policy=Jsonb(policy.frozen()),
            outcome=outcome,
            error=error,
            delay=delay,
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
        self,
        claim: Claim,
        *,
        entry: str,
        policy: RetryPolicy,
        reason: str,
        error: Any,
        due_at: datetime | None,
    ) -> None:
        """Put the instance aside for a reason, until a moment or until it is woken."""
        self._write_try(
            statements.PARK,
            claim,
            entry=entry,
            policy=Jsonb(policy.frozen()),
            outcome=Outcome.PARKED,
            error=error,
            reason=Reason(reason).value,
            due_at=due_at,
            kind="waiting",
            why=f"{reason}: {error['message']}",
        )

    def sleep(
        self, claim: Claim, *, entry: str, moment: datetime | None, duration: timedelta | None
    ) -> None:
        """Wait at a `sleep` or `until` entry; its end is fixed when it is reached first."""
        until = f"until {moment.isoformat()}" if moment else f"for {duration}"
        self._write_wait(
            statements.SLEEP,
            claim,
            moment=moment,
            duration=duration,
            why=f"{entry}: sleeps {until}",
        )

    def wait(self, claim: Claim, *, entry: str, type: str, timeout: timedelta | None) -> None:  # noqa: A002 - the field's word
        """Wait for an event; one that came since the claim was last moved ends that at once."""
        self._write_wait(
            statements.AWAIT,
            claim,
            timeout=timeout,
            inbox=claim.inbox,
            why=f"{entry}: waits for {type}",
        )

    def next_event(self, claim: Claim, type: str) -> Row | None:  # noqa: A002
        """Return (id, type, payload, sender, sent_at) of the oldest event not taken, if any."""
        parameters = {"instance": claim.instance, "generation": claim.generation, "type": type}
        rows = self._fetch_again(statements.NEXT_EVENT, parameters)
        return rows[0] if rows else None

    def release(self, claim: Claim, *, entry: str, policy: RetryPolicy | None, why: str) -> None:
        """Let somebody else go on at once; the attempt is kept as interrupted, not counted."""
        self._write_try(
            statements.RELEASE,
            claim,
            entry=entry,
            policy=Jsonb(policy.frozen()) if policy else None,
            outcome=Outcome.INTERRUPTED,
            error={"type": "Interrupted", "message": why},
        )

    def release_quietly(
        self, claim: Claim, *, entry: str, policy: RetryPolicy | None, why: str
    ) -> None:
        """Release an attempt that another thread may be ending at this moment."""
        try:
            self.release(claim, entry=entry, policy=policy, why=why)
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

    def when_recorded(self, claim: Claim, *, entry: str) -> Moved | None:
        """After a lost connection: return where the record left the instance, if it is there."""
        parameters = _claimed(claim) | {"entry": entry}
        if not self._fetch_again(statements.WAS_RECORDED, parameters):
            return None
        return Moved(*self._fetch_again(statements.CURRENT_TRY, parameters)[0])

    def inputs(self, claim: Claim, entries: list[str]) -> tuple[Any, dict[str, Any]]:
        """Return the envelope's data, and the named entries' outputs by name."""
        parameters = {"instance": claim.instance, "entries": entries}
        rows = self._fetch_again(statements.INPUTS, parameters)
        outputs = {name: data for name, data in rows if name is not None}
        envelopes = [data for name, data in rows if name is None]
        if not envelopes:
            raise LostClaimError(f"{claim.instance_id} was ended and pruned before it was driven")
        return envelopes[0], outputs

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

    def _fetch_again(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Row]:
        """Run a statement that may be repeated: a second run finds that the first one moved it."""
        while True:
            try:
                return self._connection.fetch(statement, parameters)
            except psycopg.OperationalError:
                self._connection.reconnect(until=lambda: False)

    def _write_try(self, statement: Statement, claim: Claim, **columns: Any) -> None:
        columns["error"] = _storable(columns["error"])
        if "why" in columns:
            columns["why"] = plain(columns["why"])
        parameters = _claimed(claim) | columns
        self._expect(self._write(statement, parameters, was_written=statements.WAS_TRIED), claim)
        self.counts[str(columns["outcome"])] += 1

    def _write_wait(self, statement: Statement, claim: Claim, **columns: Any) -> None:
        """Put aside; sent again after a lost connection, it finds that the first one moved it."""
        parameters = _claimed(claim) | {"kind": "waiting"} | columns
        self._expect(self._fetch_again(statement, parameters), claim)

    def _write(
        self, statement: Statement, parameters: Mapping[str, Any], *, was_written: Statement
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
    def _expect(rows: list[Row], claim: Claim) -> Row:
        if not rows:
            raise LostClaimError(f"{claim.instance_id}: its claim was lost, the write was refused")
        return rows[0]


def record_statement(record: Record, *, is_last: bool) -> Statement:
    """Return the statement that writes the record, and takes its event."""
    if record.event is None:
        return statements.COMPLETE if is_last else statements.ADVANCE
    return statements.COMPLETE_WITH_EVENT if is_last else statements.ADVANCE_WITH_EVENT


def record_parameters(claim: Claim, record: Record) -> dict[str, Any]:
    """Return what that statement binds."""
    parameters = _claimed(claim) | {
        "entry": record.entry,
        "output": Jsonb(record.output),
        "sensitive": record.sensitive,
    }
    return parameters if record.event is None else parameters | {"event": record.event}


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
