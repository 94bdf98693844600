"""Drive a claimed instance from its first unfinished entry until it ends, waits or is lost."""

import json
import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from django.db import InterfaceError, OperationalError, connection, transaction
from pydantic import ValidationError

from workflows.checkpoints import Checkpoints, record_parameters
from workflows.claims import Claim
from workflows.connection import connection_given_back
from workflows.contracts import Contract, StepContext, Transaction
from workflows.errors import (
    ContractError,
    EngineStoppedError,
    LostClaimError,
    NonRetryableError,
    OutputError,
    Park,
    RetryableError,
    plain,
)
from workflows.graphs import Plan, StepEntry, UntilEntry, load_plan
from workflows.models import Outcome
from workflows.registry import get_workflow
from workflows.statements.checkpoints import ADVANCE, COMPLETE

logger = logging.getLogger(__name__)

OUTPUT_BYTES_MAX = 1024 * 1024  # as on Cloudflare Workflows
NEWER_CODE_DELAY = timedelta(seconds=15)  # before an instance that this code cannot run is due
TRACEBACK_CHARACTERS_MAX = 20_000


class Watch(Protocol):
    """Who is told what a driver thread is doing, so that an overdue attempt can be ended."""

    def begins(self, claim: Claim, entry: str, deadline: datetime) -> None:
        """An attempt begins and must end before the deadline."""

    def ends(self) -> None:
        """The attempt is over."""

    def finished_a_step(self) -> None:
        """A suspect has proved harmless."""

    def is_stopping(self) -> bool:
        """Whether to release the instance rather than begin another step."""


@dataclass
class _Run:
    """What one drive knows: the claim as it moves, the plan, and the outputs read so far."""

    claim: Claim
    plan: Plan
    envelope: Mapping[str, Any]
    outputs: dict[str, Any]
    parsed: dict[tuple[str, type[Contract]], Contract] = field(default_factory=dict)

    @property
    def entry(self) -> StepEntry | UntilEntry:
        return self.plan.entries[self.claim.position]

    @property
    def is_last(self) -> bool:
        return self.claim.position == len(self.plan.entries) - 1


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
            checkpoints.release(run.claim, entry=run.entry.name, why="the worker is stopping")
            return
        if isinstance(run.entry, UntilEntry):
            going_on = _pass_or_sleep(run, run.entry, checkpoints)
        else:
            going_on = _attempt(run, run.entry, checkpoints, watch)
        if going_on:
            watch.finished_a_step()


def _prepare(claim: Claim, checkpoints: Checkpoints) -> _Run | None:
    with connection_given_back():
        try:
            plan = load_plan(claim.graph, claim.workflow)
        except ContractError as drift:
            checkpoints.leave_to_newer(claim, error=_described(drift), delay=NEWER_CODE_DELAY)
            return None
    envelope, outputs = checkpoints.inputs(claim, _entries_read_later(plan, claim.position))
    return _Run(claim=claim, plan=plan, envelope=envelope, outputs=outputs)


def _entries_read_later(plan: Plan, position: int) -> list[str]:
    providers = {
        provider
        for entry in plan.entries[position:]
        if isinstance(entry, StepEntry)
        for provider in entry.wiring.values()
        if provider is not None and provider < position
    }
    return [plan.entries[provider].name for provider in sorted(providers)]


def _pass_or_sleep(run: _Run, entry: UntilEntry, checkpoints: Checkpoints) -> bool:
    moment = _moment(run.envelope, entry.pointer)
    # The entry began on the database's clock, which also decides when its moment has come.
    if moment is not None and moment > run.claim.attempt_started_at:
        checkpoints.sleep(run.claim, entry=entry.name, due_at=moment)
        return False
    return _checkpoint(run, {"until": moment.isoformat() if moment else None}, checkpoints)


def _moment(envelope: Mapping[str, Any], pointer: str) -> datetime | None:
    value: Any = envelope
    for part in pointer.split("/")[1:]:
        value = value.get(part) if isinstance(value, dict) else None
    return datetime.fromisoformat(value) if value else None


def _attempt(run: _Run, entry: StepEntry, checkpoints: Checkpoints, watch: Watch) -> bool:
    claim = run.claim
    deadline = datetime.now(UTC) + entry.step.policy.timeout
    watch.begins(claim, entry.name, deadline)
    try:
        with connection_given_back():
            returned = entry.step.function(**_arguments(run, entry, deadline))
            if isinstance(returned, Transaction):
                return _commit(run, entry, returned, deadline, checkpoints)
        output = _recordable(entry, returned)
        return _checkpoint(run, output, checkpoints)
    except (LostClaimError, EngineStoppedError):
        raise
    except ContractError as drift:
        checkpoints.leave_to_newer(claim, error=_described(drift), delay=NEWER_CODE_DELAY)
        return False
    except Park as park:
        checkpoints.park(
            claim,
            entry=entry.name,
            reason=park.reason,
            error=_described(park) | {"data": park.data},
            due_at=park.until,
        )
        return False
    except Exception as error:  # noqa: BLE001 - whatever a step raises is its attempt's outcome
        _fail(run, entry, error, checkpoints)
        return False
    finally:
        watch.ends()


def _arguments(run: _Run, entry: StepEntry, deadline: datetime) -> dict[str, Any]:
    step = entry.step
    arguments: dict[str, Any] = {
        parameter: _input(run, contract, entry.wiring[parameter])
        for parameter, contract in step.inputs.items()
    }
    if step.options is not None:
        arguments[step.options[0]] = entry.options
    if step.context is not None:
        arguments[step.context] = StepContext(
            instance_id=run.claim.instance_id,
            key=run.claim.key,
            entry=entry.name,
            generation=run.claim.generation,
            attempt=run.claim.attempt,
            deadline=deadline,
            drain=run.claim.drain,
            failures=run.claim.failures,
        )
    return arguments


def _input(run: _Run, contract: type[Contract], provider: int | None) -> Contract:
    if provider is None:
        return get_workflow(run.claim.workflow).provides[contract](run.envelope)
    name = run.plan.entries[provider].name
    if (name, contract) not in run.parsed:
        try:
            run.parsed[name, contract] = contract.model_validate(run.outputs[name])
        except ValidationError as error:
            raise ContractError(name, f"its recorded output does not fit {error}") from None
    return run.parsed[name, contract]


def _recordable(entry: StepEntry, returned: object) -> Any:
    """Return the output as JSON, or say why it cannot be recorded."""
    if not isinstance(returned, entry.step.output):
        raise OutputError(
            f"{entry.name} returned {type(returned).__name__}, not {entry.step.output.__name__}"
        )
    text = returned.model_dump_json()
    if len(text.encode()) > OUTPUT_BYTES_MAX:
        raise OutputError(f"{entry.name} returned {len(text.encode())} bytes; 1 MiB is the most")
    if "\\u0000" in text:
        raise OutputError(f"{entry.name} returned a text with NUL, which Postgres cannot hold")
    return json.loads(text)


def _checkpoint(run: _Run, output: Any, checkpoints: Checkpoints) -> bool:
    """Record the current entry; return whether there is another."""
    name = run.entry.name
    if run.is_last:
        checkpoints.complete(run.claim, entry=name, output=output)
        return False
    began = checkpoints.advance(run.claim, entry=name, output=output)
    _move(run, output, began)
    return True


def _commit(
    run: _Run,
    entry: StepEntry,
    ending: Transaction[Any],
    deadline: datetime,
    checkpoints: Checkpoints,
) -> bool:
    """Commit the step's effect together with its record; the fence is the last statement.

    Raises:
        LostClaimError: the fence was old; the effect was rolled back with everything else.
    """
    output: Any = None
    try:
        with transaction.atomic(durable=True):
            left = max(1, int((deadline - datetime.now(UTC)).total_seconds() * 1000))
            with connection.cursor() as cursor:
                cursor.execute("select set_config('statement_timeout', %s, true)", [str(left)])
            output = _recordable(entry, ending.effect())
            began = _record_last(run, entry, output)
    except (OperationalError, InterfaceError):
        # The commit's outcome may be unknown: this try's own mark tells.
        recorded = checkpoints.when_recorded(run.claim, entry=entry.name)
        if recorded is None:
            raise
        began = recorded
    if run.is_last:
        return False
    _move(run, output, began)
    return True


def _record_last(run: _Run, entry: StepEntry, output: Any) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(
            COMPLETE if run.is_last else ADVANCE,
            record_parameters(run.claim, entry=entry.name, output=output),
        )
        row = cursor.fetchone()
    if row is None:
        raise LostClaimError(
            f"{run.claim.instance_id}: its claim was lost, {entry.name} was rolled back"
        )
    began: datetime = row[0]
    return began


def _move(run: _Run, output: Any, began: datetime) -> None:
    run.outputs[run.entry.name] = output
    run.claim = replace(
        run.claim,
        position=run.claim.position + 1,
        attempt=1,
        failures=0,
        crashes=0,
        attempt_started_at=began,
    )


def _fail(run: _Run, entry: StepEntry, error: Exception, checkpoints: Checkpoints) -> None:
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
    policy = entry.step.policy
    if isinstance(error, NonRetryableError | OutputError) or not policy.allows_retry(failures):
        checkpoints.give_up(run.claim, entry=entry.name, outcome=Outcome.FAILED, error=described)
        return
    asked = error.delay if isinstance(error, RetryableError) else None
    checkpoints.retry_later(
        run.claim,
        entry=entry.name,
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
    if not isinstance(error, RetryableError | NonRetryableError | Park | ContractError):
        text = "".join(traceback.format_exception(error))
        described["traceback"] = plain(text[-TRACEBACK_CHARACTERS_MAX:])
    return described
