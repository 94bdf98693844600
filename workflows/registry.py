"""Steps, workflows and contracts by name; a step's annotations are its contract."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from workflows.contracts import Binding, Contract
from workflows.errors import ContractError, UnknownStepError
from workflows.retries import RetryPolicy
from workflows.steps import Step, read_step

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
WORKFLOW_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


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
_contracts: set[type[Contract]] = set()  # those that no annotation names


def step(
    name: str,
    *,
    policy: RetryPolicy | None = None,
    worst_case: Callable[[Any], int] | None = None,
    binds: Callable[[Any], Binding] | None = None,
    judge: Callable[[Any], None] | None = None,
    sensitive: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function under `name`; its annotations are its contract.

    Each parameter is annotated with a `Contract` (an input), a `StepOptions` (its options, at
    most one), `StepContext` or `Bound`. The return annotation is a `Contract` or
    `Transaction[Contract]`.

    Args:
        name: a-z, 0-9 and _; what graph entries call it.
        policy: retries and timeout; the defaults of `RetryPolicy` if None.
        worst_case: options to the most that one run may cost, in micros.
        binds: options to what the step reads and returns under them, for one whose annotations
            cannot say it; it takes the result as its `Bound` and is annotated to return `Contract`.
            Of the options alone: a stored graph is bound again by every process that runs it.
        judge: raises ContractError, its path beginning at the option, where options cannot be used
            as things stand, such as prices. Asked when a graph is proved, not when one that was
            stored is run.
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
        _steps[name] = read_step(
            name,
            function,
            policy=policy or RetryPolicy(),
            worst_case=worst_case,
            binds=binds,
            judge=judge,
            is_sensitive=sensitive,
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
    code_version.cache_clear()
    _workflows[name] = workflow
    return workflow


def register_contract(contract: type[Contract]) -> type[Contract]:
    """Let graphs name a contract that stands in no step's annotations; usable as a decorator."""
    code_version.cache_clear()
    _contracts.add(contract)
    return contract


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


def all_steps() -> list[Step]:
    """Return every registered step, by name."""
    return [each for _, each in sorted(_steps.items())]


def all_workflows() -> list[Workflow]:
    """Return every registered workflow, by name."""
    return [workflow for _, workflow in sorted(_workflows.items())]


def get_contract(name: str) -> type[Contract]:
    """Return the contract that graphs mean by a name, or raise ContractError naming what exists."""
    found = [contract for contract in all_contracts() if contract.__name__ == name]
    if len(found) == 1:
        return found[0]
    if found:
        places = " and ".join(contract.__module__ for contract in found)
        raise ContractError(name, f"{places} both have a contract of this name; rename one")
    known = ", ".join(contract.__name__ for contract in all_contracts())
    raise ContractError(name, f"no contract has this name; there are {known}")


def all_contracts() -> list[type[Contract]]:
    """Return what steps take and return, what envelopes provide and what was registered, by name.

    `Contract` itself, which a step with `binds` is annotated to return, is none of them.
    """
    found = set(_contracts)
    for each in _steps.values():
        found |= {each.output, *each.inputs.values()}
    for workflow in _workflows.values():
        found |= set(workflow.provides)
    return sorted(found - {Contract}, key=lambda contract: (contract.__name__, contract.__module__))


@lru_cache(maxsize=1)
def code_version() -> str:
    """Return a digest of all steps' contracts: equal code has an equal version."""
    steps = {
        each.name: [
            {
                parameter: contract.model_json_schema()
                for parameter, contract in each.inputs.items()
            },
            each.options[1].model_json_schema() if each.options else None,
            each.output.model_json_schema(),
        ]
        for each in all_steps()
    }
    described = [steps, [contract.model_json_schema() for contract in all_contracts()]]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
