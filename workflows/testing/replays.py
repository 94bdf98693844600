"""Is a step safe to run again after its worker died between its effects and its record?"""

import difflib
from collections.abc import Callable
from datetime import UTC, datetime
from pprint import pformat
from typing import Any, TypeVar

from django.db import transaction

from workflows.contracts import Binding, Bound, Contract, StepContext, StepOptions, Transaction
from workflows.registry import get_step
from workflows.steps import Step

Given = TypeVar("Given", bound=Contract | StepOptions)


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
        *given: its inputs, also those that its options ask for, and its options if it has any;
            its context is made up.
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
    binding, arguments = _bind(step, given, number)
    returned = step.function(**arguments)
    if not isinstance(returned, Transaction):
        return _checked(step, binding, returned), snapshot()
    with transaction.atomic():
        output = _checked(step, binding, returned.effect())
        left = snapshot()
        transaction.set_rollback(number == 1)
    return output, left


def _bind(
    step: Step, given: tuple[Contract | StepOptions, ...], number: int
) -> tuple[Binding, dict[str, object]]:
    arguments: dict[str, object] = {
        parameter: _pick(step, given, contract) for parameter, contract in step.inputs.items()
    }
    options: StepOptions | None = None
    if step.options is not None:
        parameter, kind = step.options
        arguments[parameter] = options = _pick(step, given, kind)
    binding = step.bind(options)
    if step.bound is not None:
        arguments[step.bound] = _bound(step, binding, given)
    if step.context is not None:
        arguments[step.context] = _made_up_context(step, number)
    return binding, arguments


def _bound(step: Step, binding: Binding, given: tuple[Contract | StepOptions, ...]) -> Bound:
    inputs = {
        name: _pick(step, given, asked.contract)
        for name, asked in binding.inputs.items()
        if asked.is_required or any(isinstance(value, asked.contract) for value in given)
    }
    return Bound(inputs=inputs, output=binding.output)


def _made_up_context(step: Step, number: int) -> StepContext:
    return StepContext(
        instance_id="test-replay",
        key="replay",
        entry=step.name,
        generation=1,
        attempt=number,
        deadline=datetime.now(UTC) + step.policy.timeout,
        drain=0,
    )


def _pick(step: Step, given: tuple[Contract | StepOptions, ...], kind: type[Given]) -> Given:
    for value in given:
        if isinstance(value, kind):
            return value
    raise TypeError(f"{step.name} takes a {kind.__name__}, which is not among what was given")


def _checked(step: Step, binding: Binding, output: object) -> Contract:
    if not isinstance(output, binding.output):
        found, due = type(output).__name__, binding.output.__name__
        raise TypeError(f"{step.name} returned {found}, not {due}")
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
