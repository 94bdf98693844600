"""Entries that wait: each look either passes them, or puts the instance aside."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from workflows.checkpoints import Checkpoints
from workflows.conditions import value_at
from workflows.errors import ContractError, WaitTimedOutError
from workflows.graphs import SleepEntry, UntilEntry, WaitEntry
from workflows.records import Record
from workflows.runs import Run


def pass_or_put_aside(
    run: Run, entry: SleepEntry | UntilEntry | WaitEntry, checkpoints: Checkpoints
) -> Record | None:
    """Return what to record because the wait is over; else put the instance aside.

    Raises:
        WaitTimedOutError: its event did not come in time, and the entry says that this is an error.
        ContractError: the moment in the envelope is none, or has no zone.
    """
    if isinstance(entry, UntilEntry):
        return _pass_until(run, entry, checkpoints)
    if isinstance(entry, SleepEntry):
        return _pass_sleep(run, entry, checkpoints)
    return _pass_wait(run, entry, checkpoints)


def _pass_until(run: Run, entry: UntilEntry, checkpoints: Checkpoints) -> Record | None:
    moment = moment_at(run.envelope, entry.pointer)
    # The entry began on the database's clock, which also decides when its moment has come.
    if moment is not None and moment > run.claim.attempt_started_at and not _is_over(run):
        checkpoints.sleep(run.claim, entry=entry.name, moment=moment, duration=None)
        return None
    return Record(entry.name, {"until": moment.isoformat() if moment else None})


def _pass_sleep(run: Run, entry: SleepEntry, checkpoints: Checkpoints) -> Record | None:
    if not _is_over(run):
        checkpoints.sleep(run.claim, entry=entry.name, moment=None, duration=entry.duration)
        return None
    return Record(entry.name, {"slept_seconds": entry.duration.total_seconds()})


def _pass_wait(run: Run, entry: WaitEntry, checkpoints: Checkpoints) -> Record | None:
    """Take the oldest event first; only without one does the timeout count."""
    if entry.when and not _holds(run, entry):
        names = {run.plan.entries[n].name: None for each in entry.when for n, _ in each.outputs}
        asked = ", ".join(each.reference for each in entry.when)
        passed = f"nothing in {asked} of {', '.join(names)}"
        return Record(entry.name, {"event": None, "passed": passed})
    event = checkpoints.next_event(run.claim, entry.type)
    if event is not None:
        number, kind, payload, sender, sent_at = event
        told = {"type": kind, "payload": payload, "sender": sender, "sent_at": sent_at.isoformat()}
        return Record(entry.name, {"event": told}, event=number)
    if not _is_over(run):
        checkpoints.wait(run.claim, entry=entry.name, type=entry.type, timeout=entry.timeout)
        return None
    if entry.on_timeout == "error":
        raise WaitTimedOutError(entry.name, entry.type)
    return Record(entry.name, {"event": None})


def _holds(run: Run, entry: WaitEntry) -> bool:
    return any(
        value_at(run.output(contract, position), condition.fields)
        for condition in entry.when
        for position, contract in condition.outputs
    )


def _is_over(run: Run) -> bool:
    end = run.claim.deadline_at
    return end is not None and end <= run.claim.attempt_started_at


def moment_at(envelope: Mapping[str, Any], pointer: str) -> datetime | None:
    """Return the moment that a JSON pointer finds; None if there is none.

    Raises:
        ContractError: what stands there is no RFC 3339 moment with its offset.
    """
    value: Any = envelope
    for part in pointer.split("/")[1:]:
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ContractError(f"envelope{pointer}", "is no RFC 3339 moment") from None
    if moment.tzinfo is None:
        raise ContractError(f"envelope{pointer}", "is a moment without offset; add Z or +02:00")
    return moment
