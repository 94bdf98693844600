"""Drive a claimed instance from its first unfinished entry until it ends, waits or is lost."""

import logging
import time
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from django.db import InterfaceError, OperationalError, connection, transaction

from workflows import faults
from workflows.checkpoints import Checkpoints
from workflows.claims import Claim
from workflows.connection import connection_given_back
from workflows.contracts import Transaction
from workflows.errors import (
    ContractError,
    EngineStoppedError,
    LostClaimError,
    NonRetryableError,
    OutputError,
    Park,
    RetryableError,
    WaitTimedOutError,
    plain,
)
from workflows.graphs import (
    Plan,
    SleepEntry,
    StepEntry,
    UntilEntry,
    WaitEntry,
    load_plan,
    outputs_read,
)
from workflows.models import Outcome
from workflows.records import Moved, Record, record_parameters, record_statement
from workflows.retries import RetryPolicy
from workflows.runs import Run, recordable
from workflows.statements import execute
from workflows.waits import pass_or_put_aside

logger = logging.getLogger(__name__)

NEWER_CODE_DELAY = timedelta(seconds=15)  # before an instance that this code cannot run is due
TRACEBACK_CHARACTERS_MAX = 20_000


class Watch(Protocol):
    """Who is told what a driver thread is doing, so that an overdue attempt can be ended."""

    def begins(self, claim: Claim, entry: str, policy: RetryPolicy) -> None:
        """An attempt begins and must end within the policy's timeout."""

    def ends(self) -> None:
        """The attempt is over."""

    def finished_a_step(self) -> None:
        """A suspect has proved harmless."""

    def is_stopping(self) -> bool:
        """Whether to release the instance rather than begin another step."""


def drive(claim: Claim, checkpoints: Checkpoints, watch: Watch) -> None:
    """Run entries until the instance ends, waits, or belongs to somebody else."""
    try:
        _drive(claim, checkpoints, watch)
    except LostClaimError as lost:
        logger.warning("%s", lost)
        checkpoints.relinquish(claim)
    except EngineStoppedError:
        logger.warning("%s: its worker ended before it did", claim.instance_id)
    except Exception as error:
        logger.exception("%s: its driver failed", claim.instance_id)
        checkpoints.disown(claim, error=_described(error))


def _drive(claim: Claim, checkpoints: Checkpoints, watch: Watch) -> None:
    run = _prepare(claim, checkpoints)
    going_on = run is not None
    while run is not None and going_on:
        if watch.is_stopping():
            checkpoints.release(
                run.claim, entry=run.entry.name, policy=run.policy, why="the worker is stopping"
            )
            return
        if isinstance(run.entry, StepEntry):
            going_on = _attempt(run, run.entry, checkpoints, watch)
        else:
            going_on = _look(run, run.entry, checkpoints)
        if going_on:
            watch.finished_a_step()


def _prepare(claim: Claim, checkpoints: Checkpoints) -> Run | None:
    with connection_given_back():
        try:
            plan = load_plan(claim.graph, claim.workflow)
        except ContractError as drift:
            checkpoints.leave_to_newer(claim, error=_described(drift), delay=NEWER_CODE_DELAY)
            return None
    envelope, outputs = checkpoints.inputs(claim, _entries_read_later(plan, claim.position))
    return Run(claim=claim, plan=plan, envelope=envelope, outputs=outputs)


def _entries_read_later(plan: Plan, position: int) -> list[str]:
    providers = {
        provider
        for entry in plan.entries[position:]
        for provider, _ in outputs_read(entry)
        if provider < position
    }
    return [plan.entries[provider].name for provider in sorted(providers)]


def _look(run: Run, entry: SleepEntry | UntilEntry | WaitEntry, checkpoints: Checkpoints) -> bool:
    faults.reach(f"entries.{entry.name}", "before")
    try:
        record = pass_or_put_aside(run, entry, checkpoints)
    except (WaitTimedOutError, ContractError) as error:
        checkpoints.give_up(
            run.claim, entry=entry.name, outcome=Outcome.FAILED, error=_described(error)
        )
        return False
    return record is not None and _checkpoint(run, record, checkpoints)


def _attempt(run: Run, entry: StepEntry, checkpoints: Checkpoints, watch: Watch) -> bool:
    claim, policy = run.claim, entry.policy.or_frozen(run.claim.policy)
    deadline = datetime.now(UTC) + policy.timeout
    overdue_at = time.monotonic() + policy.timeout.total_seconds()
    watch.begins(claim, entry.name, policy)
    try:
        with connection_given_back():
            faults.reach(f"entries.{entry.name}", "before")
            returned = entry.step.function(**run.arguments(entry, deadline))
            faults.reach(f"entries.{entry.name}", "after")
            if isinstance(returned, Transaction):
                return _commit(run, entry, returned, overdue_at, checkpoints)
        record = Record(entry.name, recordable(entry, returned), entry.step.is_sensitive)
        return _checkpoint(run, record, checkpoints)
    except (LostClaimError, EngineStoppedError):
        raise
    except ContractError as drift:
        checkpoints.leave_to_newer(claim, error=_described(drift), delay=NEWER_CODE_DELAY)
        return False
    except Park as park:
        checkpoints.park(
            claim,
            entry=entry.name,
            policy=policy,
            reason=park.reason,
            error=_described(park) | {"data": park.data},
            due_at=park.until,
        )
        return False
    except Exception as error:  # noqa: BLE001 - whatever a step raises is its attempt's outcome
        _fail(run, entry, policy, error, checkpoints)
        return False
    finally:
        watch.ends()


def _checkpoint(run: Run, record: Record, checkpoints: Checkpoints) -> bool:
    """Record the current entry; return whether to go on with the next."""
    moved = checkpoints.record(run.claim, record, is_last=run.is_last)
    if moved.goes_on:
        run.move(record.output, moved)
    return moved.goes_on


def _commit(
    run: Run,
    entry: StepEntry,
    ending: Transaction[Any],
    overdue_at: float,
    checkpoints: Checkpoints,
) -> bool:
    """Commit the step's effect together with its record; the fence is the last statement.

    Args:
        overdue_at: on the monotonic clock, as the watchdog's: a wall clock that jumps cancels
            nothing.

    Raises:
        LostClaimError: the fence was old; the effect was rolled back with everything else.
    """
    output: Any = None
    try:
        with transaction.atomic(durable=True):
            left = max(1, int((overdue_at - time.monotonic()) * 1000))
            with connection.cursor() as cursor:
                cursor.execute("select set_config('statement_timeout', %s, true)", [str(left)])
            output = recordable(entry, ending.effect())
            moved = _record_last(run, Record(entry.name, output, entry.step.is_sensitive))
    except (OperationalError, InterfaceError):
        # The commit's outcome may be unknown: this try's own mark tells.
        found = checkpoints.when_recorded(run.claim, entry=entry.name)
        if found is None:
            raise
        moved = found
    checkpoints.counts["recorded"] += 1
    if moved.goes_on:
        run.move(output, moved)
    return moved.goes_on


def _record_last(run: Run, record: Record) -> Moved:
    rows = execute(
        record_statement(record, is_last=run.is_last), record_parameters(run.claim, record)
    )
    if not rows:
        raise LostClaimError(
            f"{run.claim.instance_id}: its claim was lost, {record.entry} was rolled back"
        )
    return Moved(*rows[0])


def _fail(
    run: Run, entry: StepEntry, policy: RetryPolicy, error: Exception, checkpoints: Checkpoints
) -> None:
    described = _described(error)
    logger.warning(
        "%s: %s failed at attempt %s: %s",
        run.claim.instance_id,
        entry.name,
        run.claim.attempt,
        described["message"],
    )
    if isinstance(error, NonRetryableError):
        described["data"] = error.data
    failures = run.claim.failures + 1
    if isinstance(error, NonRetryableError | OutputError) or not policy.allows_retry(failures):
        checkpoints.give_up(run.claim, entry=entry.name, outcome=Outcome.FAILED, error=described)
        return
    asked = error.delay if isinstance(error, RetryableError) else None
    checkpoints.retry_later(
        run.claim,
        entry=entry.name,
        policy=policy,
        outcome=Outcome.FAILED,
        error=described,
        delay=policy.delay_before(failures) if asked is None else asked,
    )


def _described(error: Exception) -> dict[str, Any]:
    """Return what an attempt keeps of its error; the traceback is for unexpected ones."""
    described: dict[str, Any] = {
        "type": type(error).__name__,
        "message": plain(str(error)) or type(error).__name__,
    }
    expected = RetryableError | NonRetryableError | Park | ContractError | WaitTimedOutError
    if not isinstance(error, expected):
        text = "".join(traceback.format_exception(error))
        described["traceback"] = plain(text[-TRACEBACK_CHARACTERS_MAX:])
    return described
