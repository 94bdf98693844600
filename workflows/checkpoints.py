"""Checkpoints: a driver's durable writes, repeated safely when a connection is lost."""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from workflows.claims import Claim
from workflows.connection import EngineConnection, Row
from workflows.errors import LostClaimError, plain
from workflows.flusher import Flusher, Item
from workflows.models import Outcome, Reason
from workflows.records import (
    Moved,
    Record,
    claimed,
    record_line,
    record_parameters,
    record_statement,
)
from workflows.registry import code_version
from workflows.retries import RetryPolicy
from workflows.statements import Statement
from workflows.statements import checkpoints as statements

logger = logging.getLogger(__name__)


class Checkpoints:
    """The writer of a process: every driver thread's checkpoints go through it.

    Attributes:
        counts: attempts that ended, by outcome; a record counts as `recorded`.
    """

    def __init__(self, connection: EngineConnection, flusher: Flusher | None = None) -> None:
        self._connection = connection
        self._flusher = flusher
        self.counts: Counter[str] = Counter()

    def record(self, claim: Claim, record: Record, *, is_last: bool) -> Moved:
        """Record the entry, and begin the next or end the instance.

        Together with those of other threads, unless group commit is off: whoever calls waits for
        the commit either way.
        """

        def alone() -> tuple[Statement, Mapping[str, Any]]:
            return record_statement(record, is_last=is_last), record_parameters(claim, record)

        if self._flusher is not None and record.event is None:
            line = record_line(claim, record, is_last=is_last)
            rows = self._flusher.write(Item(claim.instance, line, alone))
        else:
            rows = self._write(*alone(), was_written=statements.WAS_RECORDED)
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
        rows = self._connection.fetch_again(statements.NEXT_EVENT, parameters)
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
        parameters = claimed(claim) | {
            "error": _storable(error),
            "delay": delay,
            "code_version": code_version(),
            "kind": "waiting",
            "why": plain(f"code: {error['message']}"),
        }
        self._expect(self._connection.fetch_again(statements.LEAVE_TO_NEWER, parameters), claim)

    def when_recorded(self, claim: Claim, *, entry: str) -> Moved | None:
        """After a lost connection: return where the record left the instance, if it is there."""
        parameters = claimed(claim) | {"entry": entry}
        if not self._connection.fetch_again(statements.WAS_RECORDED, parameters):
            return None
        return Moved(*self._connection.fetch_again(statements.CURRENT_TRY, parameters)[0])

    def inputs(self, claim: Claim, entries: list[str]) -> tuple[Any, dict[str, Any]]:
        """Return the envelope's data, and the named entries' outputs by name."""
        if claim.envelope is not None and not entries:
            return claim.envelope, {}
        parameters = {"instance": claim.instance, "entries": entries}
        rows = self._connection.fetch_again(statements.INPUTS, parameters)
        outputs = {name: data for name, data in rows if name is not None}
        envelopes = [data for name, data in rows if name is None]
        if not envelopes:
            raise LostClaimError(f"{claim.instance_id} was ended and pruned before it was driven")
        return envelopes[0], outputs

    def close(self) -> None:
        """Write no more: whoever waits for a commit, or asks for one later, is told so."""
        if self._flusher is not None:
            self._flusher.close()
        self._connection.close()

    def disown(self, claim: Claim, *, error: Any) -> None:
        """Give the instance back, at whatever entry it stands, if this claim still holds it.

        It counts as a crash, so that what no driver can bear ends errored.
        """
        parameters = claimed(claim) | {"error": _storable(error)}
        self._connection.fetch_again(statements.DISOWN, parameters)

    def relinquish(self, claim: Claim) -> None:
        """Give the instance back at once if it is still this claim's, wherever it stands.

        A commit that was read back as lost may have come through afterwards.
        """
        self._connection.fetch_again(statements.RELINQUISH, claimed(claim))

    def _write_try(self, statement: Statement, claim: Claim, **columns: Any) -> None:
        columns["error"] = _storable(columns["error"])
        if "why" in columns:
            columns["why"] = plain(columns["why"])
        parameters = claimed(claim) | columns
        self._expect(self._write(statement, parameters, was_written=statements.WAS_TRIED), claim)
        self.counts[str(columns["outcome"])] += 1

    def _write_wait(self, statement: Statement, claim: Claim, **columns: Any) -> None:
        """Put aside; sent again after a lost connection, it finds that the first one moved it."""
        parameters = claimed(claim) | {"kind": "waiting"} | columns
        self._expect(self._connection.fetch_again(statement, parameters), claim)

    def _write(
        self, statement: Statement, parameters: Mapping[str, Any], *, was_written: Statement
    ) -> list[Row]:
        return self._connection.fetch_once(
            statement, parameters, was_written=was_written, outcome=statements.CURRENT_TRY
        )

    @staticmethod
    def _expect(rows: list[Row], claim: Claim) -> Row:
        if not rows:
            raise LostClaimError(f"{claim.instance_id}: its claim was lost, the write was refused")
        return rows[0]


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
