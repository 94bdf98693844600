"""Steps and workflows by name; a step's annotations are its contract."""

import hashlib
import inspect
import json
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from workflows.contracts import Contract, StepContext, StepOptions, Transaction
from workflows.errors import ContractError, UnknownStepError
from workflows.retries import RetryPolicy

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
WORKFLOW_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True)
class Step:
    """A registered function with what its annotations promise.

    Attributes:
        inputs: parameter name to the contract that it takes.
        options: parameter name and options type, if it has any.
        context: name of the parameter that takes the `StepContext`, if it has one.
        output: the contract that it returns.
        worst_case: options to the most that one run may cost, in micros; opaque to the engine.
        is_sensitive: whether its output is shown as `[hidden]` wherever people look.
    """

    name: str
    function: Callable[..., Any]
    inputs: Mapping[str, type[Contract]]
    options: tuple[str, type[StepOptions]] | None
    context: str | None
    output: type[Contract]
    policy: RetryPolicy
    worst_case: Callable[[Any], int] | None
    is_sensitive: bool


@dataclass(frozen=True)
class Retention:
    """How long an ended instance keeps its records; its row stays for ever.

    Attributes:
        success: after it completed; None keeps them.
        error: after it errored or was terminated; None keeps them.
    """

    success: timedelta | None = None
    error: timedelta | None = None


@dataclass(frozen=True)
class Workflow:
    """A registered workflow: what its envelope provides to the steps of its graphs.

    Attributes:
        schedulable: whether the clock may start it; not where keys belong to somebody else.
    """

    name: str
    provides: Mapping[type[Contract], Callable[[Mapping[str, Any]], Contract]]
    retention: Retention
    schedulable: bool


_steps: dict[str, Step] = {}
_workflows: dict[str, Workflow] = {}


def step(
    name: str,
    *,
    policy: RetryPolicy | None = None,
    worst_case: Callable[[Any], int] | None = None,
    sensitive: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function under `name`; its annotations are its contract.

    Each parameter is annotated with a `Contract` (an input), a `StepOptions` (its options, at
    most one) or `StepContext`. The return annotation is a `Contract` or `Transaction[Contract]`.

    Args:
        name: a-z, 0-9 and _; what graph entries call it.
        policy: retries and timeout; the defaults of `RetryPolicy` if None.
        worst_case: options to the most that one run may cost, in micros.
        sensitive: show its output as `[hidden]` in admin, API, downloads and logs.

    Raises:
        ContractError: an annotation is missing or of another kind, or the name is taken.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        if not NAME.fullmatch(name):
            raise ContractError(name, "a step name is a-z, 0-9 and _, from a letter, at most 60")
        known = _steps.get(name)
        if known and known.function.__qualname__ != function.__qualname__:
            raise ContractError(name, "another step has this name")
        code_version.cache_clear()
        _steps[name] = _read_annotations(
            name, function, policy or RetryPolicy(), worst_case, is_sensitive=sensitive
        )
        return function

    return register


def register_workflow(
    name: str,
    *,
    provides: Mapping[type[Contract], Callable[[Mapping[str, Any]], Any]],
    retention: Retention | None = None,
    schedulable: bool = True,
) -> Workflow:
    """Register a workflow: how each contract that its steps may take is made of the envelope.

    Args:
        name: what its instances' IDs begin with.
        provides: by contract, a function that makes it of the envelope.
        retention: how long records are kept; None keeps them for ever.
        schedulable: whether a schedule may start it.

    Raises:
        ContractError: the name is not a-z, 0-9 and _, from a letter, at most 40.
    """
    if not WORKFLOW_NAME.fullmatch(name):
        raise ContractError(name, "a workflow name is a-z, 0-9 and _, from a letter, at most 40")
    workflow = Workflow(
        name=name,
        provides=provides,
        retention=retention or Retention(),
        schedulable=schedulable,
    )
    _workflows[name] = workflow
    return workflow


def get_step(name: str) -> Step:
    """Return the step, or raise UnknownStepError naming those that exist."""
    try:
        return _steps[name]
    except KeyError:
        known = ", ".join(sorted(_steps))
        raise UnknownStepError(name, f"no step has this name; there are {known}") from None


def get_workflow(name: str) -> Workflow:
    """Return the workflow, or raise ContractError naming those that exist."""
    try:
        return _workflows[name]
    except KeyError:
        known = ", ".join(sorted(_workflows))
        raise ContractError(name, f"no workflow has this name; there are {known}") from None


def all_workflows() -> list[Workflow]:
    """Return every registered workflow, by name."""
    return [workflow for _, workflow in sorted(_workflows.items())]


@lru_cache(maxsize=1)
def code_version() -> str:
    """Return a digest of all steps' contracts: equal code has an equal version."""
    described = {
        name: [
            {parameter: contract.model_json_schema() for parameter, contract in s.inputs.items()},
            s.options[1].model_json_schema() if s.options else None,
            s.output.model_json_schema(),
        ]
        for name, s in sorted(_steps.items())
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _read_annotations(
    name: str,
    function: Callable[..., Any],
    policy: RetryPolicy,
    worst_case: Callable[[Any], int] | None,
    *,
    is_sensitive: bool,
) -> Step:
    hints = typing.get_type_hints(function)
    output = hints.pop("return", None)
    if typing.get_origin(output) is Transaction:
        (output,) = typing.get_args(output)
    if not _is_a(output, Contract):
        raise ContractError(name, "a step returns a Contract or a Transaction of one")
    inputs: dict[str, type[Contract]] = {}
    options: tuple[str, type[StepOptions]] | None = None
    context: str | None = None
    for parameter in inspect.signature(function).parameters:
        hint = hints.get(parameter)
        if _is_a(hint, Contract):
            inputs[parameter] = typing.cast("type[Contract]", hint)
        elif _is_a(hint, StepOptions) and options is None:
            options = (parameter, typing.cast("type[StepOptions]", hint))
        elif hint is StepContext:
            context = parameter
        else:
            raise ContractError(
                f"{name}.{parameter}", "annotate it with a Contract, one StepOptions or StepContext"
            )
    return Step(
        name=name,
        function=function,
        inputs=inputs,
        options=options,
        context=context,
        output=typing.cast("type[Contract]", output),
        policy=policy,
        worst_case=worst_case,
        is_sensitive=is_sensitive,
    )


def _is_a(hint: object, base: type[BaseModel]) -> bool:
    return inspect.isclass(hint) and issubclass(hint, base)
