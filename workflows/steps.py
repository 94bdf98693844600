"""What a step is: a function, with what its annotations and its options promise of it."""

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from workflows.contracts import Binding, Bound, Contract, StepContext, StepOptions, Transaction
from workflows.errors import ContractError
from workflows.retries import RetryPolicy


@dataclass(frozen=True)
class Step:
    """A registered function with what its annotations promise.

    Attributes:
        inputs: parameter name to the contract that it takes.
        options: parameter name and options type, if it has any.
        context: name of the parameter that takes the `StepContext`, if it has one.
        bound: name of the parameter that takes the `Bound`, if it has one.
        output: the contract that it returns; `Contract` itself where its options decide.
        worst_case: options to the most that one run may cost, in micros; opaque to the engine.
        binds: options to what the step reads and returns under them; has `bound`.
        judge: raises ContractError where options cannot be used as things stand.
        is_sensitive: whether its output is shown as `[hidden]` wherever people look.
    """

    name: str
    function: Callable[..., Any]
    inputs: Mapping[str, type[Contract]]
    options: tuple[str, type[StepOptions]] | None
    context: str | None
    bound: str | None
    output: type[Contract]
    policy: RetryPolicy
    worst_case: Callable[[Any], int] | None
    binds: Callable[[Any], Binding] | None
    judge: Callable[[Any], None] | None
    is_sensitive: bool

    def bind(self, options: StepOptions | None) -> Binding:
        """Return what the step reads besides its annotations, and what it returns.

        Raises:
            ContractError: the options do not fit; its path begins at the option.
        """
        if self.binds is None:
            return Binding(inputs={}, output=self.output)
        return self.binds(options)


@dataclass
class _Parameters:
    """The parameters of a function, by what their annotations ask for."""

    inputs: dict[str, type[Contract]]
    options: tuple[str, type[StepOptions]] | None = None
    context: str | None = None
    bound: str | None = None


def read_step(
    name: str,
    function: Callable[..., Any],
    *,
    policy: RetryPolicy,
    worst_case: Callable[[Any], int] | None,
    binds: Callable[[Any], Binding] | None,
    judge: Callable[[Any], None] | None,
    is_sensitive: bool,
) -> Step:
    """Return the step that a function's annotations describe.

    Raises:
        ContractError: an annotation is missing or of another kind.
    """
    hints = typing.get_type_hints(function)
    output = hints.pop("return", None)
    if typing.get_origin(output) is Transaction:
        (output,) = typing.get_args(output)
    if not _is_a(output, Contract):
        raise ContractError(name, "a step returns a Contract or a Transaction of one")
    taken = _read_parameters(name, function, hints)
    if (binds is None) != (taken.bound is None) or (binds and taken.options is None):
        raise ContractError(name, "a step with `binds` has StepOptions and a Bound, no other has")
    return Step(
        name=name,
        function=function,
        inputs=taken.inputs,
        options=taken.options,
        context=taken.context,
        bound=taken.bound,
        output=typing.cast("type[Contract]", output),
        policy=policy,
        worst_case=worst_case,
        binds=binds,
        judge=judge,
        is_sensitive=is_sensitive,
    )


def _read_parameters(
    name: str, function: Callable[..., Any], hints: Mapping[str, Any]
) -> _Parameters:
    taken = _Parameters(inputs={})
    for parameter in inspect.signature(function).parameters:
        hint = hints.get(parameter)
        if _is_a(hint, Contract):
            taken.inputs[parameter] = typing.cast("type[Contract]", hint)
        elif _is_a(hint, StepOptions) and taken.options is None:
            taken.options = (parameter, typing.cast("type[StepOptions]", hint))
        elif hint is StepContext:
            taken.context = parameter
        elif hint is Bound:
            taken.bound = parameter
        else:
            raise ContractError(
                f"{name}.{parameter}",
                "annotate it with a Contract, one StepOptions, StepContext or Bound",
            )
    return taken


def _is_a(hint: object, base: type[BaseModel]) -> bool:
    return inspect.isclass(hint) and issubclass(hint, base)
