"""Is a step safe to run again after its worker died between its effects and its record?"""

import difflib
from collections.abc import Callable
from datetime import UTC, datetime
from pprint import pformat
from typing import Any

from django.db import transaction

from workflows.contracts import Contract, StepContext, StepOptions, Transaction
from workflows.registry import Step, get_step


def assert_replay_safe(
    step: str,
    *given: Contract | StepOptions,
    snapshot: Callable[[], object],
    key: Callable[[Any], object] | None = None,
) -> Contract:
    """Run a step, lose its worker after its effects and before its record, run it again, compare.

    Safe is a step whose second run returns what the first returned, and leaves what the first
    left. What the first run of a transactional end wrote is looked at, and then rolled back with
    the lost worker's transaction.

    Args:
        step: its registered name.
        *given: its inputs, and its options if it has any; its context is made up.
        snapshot: returns what the step's effects are, comparable: rows, files, requests.
        key: what of the output must be equal; all of it if None.

    Returns:
        the output of the second run.

    Raises:
        AssertionError: the runs differ; the message shows in what.
        TypeError: one of the step's inputs is not among those given.
    """
    chosen = get_step(step)
    comparable = key or _as_json
    first, left_by_first = _run(chosen, given, snapshot, number=1)
    second, left_by_second = _run(chosen, given, snapshot, number=2)
    for what, before, after in (
        ("output", comparable(first), comparable(second)),
        ("snapshot", left_by_first, left_by_second),
    ):
        if before != after:
            raise AssertionError(_difference(step, what, before, after))
    return second


def _run(
    step: Step,
    given: tuple[Contract | StepOptions, ...],
    snapshot: Callable[[], object],
    *,
    number: int,
) -> tuple[Contract, object]:
    """Run the step; the first worker is lost before the record, with its transaction."""
    returned = step.function(**_arguments(step, given, number))
    if not isinstance(returned, Transaction):
        return _checked(step, returned), snapshot()
    with transaction.atomic():
        output = _checked(step, returned.effect())
        left = snapshot()
        transaction.set_rollback(number == 1)
    return output, left


def _arguments(
    step: Step, given: tuple[Contract | StepOptions, ...], number: int
) -> dict[str, object]:
    arguments: dict[str, object] = {
        parameter: _pick(step, given, contract) for parameter, contract in step.inputs.items()
    }
    if step.options is not None:
        parameter, kind = step.options
        arguments[parameter] = _pick(step, given, kind)
    if step.context is not None:
        arguments[step.context] = StepContext(
            instance_id="test-replay",
            key="replay",
            entry=step.name,
            generation=1,
            attempt=number,
            deadline=datetime.now(UTC) + step.policy.timeout,
            drain=0,
        )
    return arguments


def _pick(
    step: Step, given: tuple[Contract | StepOptions, ...], kind: type[Contract | StepOptions]
) -> object:
    for value in given:
        if isinstance(value, kind):
            return value
    raise TypeError(f"{step.name} takes a {kind.__name__}, which is not among what was given")


def _checked(step: Step, output: object) -> Contract:
    if not isinstance(output, step.output):
        raise TypeError(f"{step.name} returned {type(output).__name__}, not {step.output.__name__}")
    return output


def _as_json(output: Contract) -> object:
    return output.model_dump(mode="json")


def _difference(step: str, what: str, first: object, second: object) -> str:
    lines = difflib.unified_diff(
        pformat(first).splitlines(),
        pformat(second).splitlines(),
        fromfile="first run",
        tofile="second run",
        lineterm="",
    )
    told = "\n".join(lines)
    return f"{step} is not safe to run again: its {what} differs\n{told}"
