"""Where an entry's inputs come from; and where none does, what would provide it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows.contracts import Binding, Contract
from workflows.errors import ContractError
from workflows.registry import all_steps, get_step, get_workflow
from workflows.steps import Step


@dataclass(frozen=True)
class Place:
    """Where an entry stands in its graph.

    Attributes:
        path: of the entry, such as `entries[3]`.
        earlier: the contracts that the entries before it return, None for one that is no step.
        later: the entries after it, as they were given; not proved yet.
    """

    path: str
    workflow: str
    earlier: Sequence[type[Contract] | None]
    later: Sequence[Mapping[str, Any]]


def wire(
    step: Step, binding: Binding, place: Place
) -> tuple[dict[str, type[Contract]], dict[str, int | None]]:
    """Return a step's inputs by name, and the position that each comes from; None is the envelope.

    Raises:
        ContractError: nothing provides one of them; with what would.
    """
    inputs = dict(step.inputs)
    wiring = {
        name: _provider(contract, place, path=f"{place.path}.{name}")
        for name, contract in inputs.items()
    }
    for name, asked in binding.inputs.items():
        if inputs.get(name, asked.contract) is not asked.contract:
            raise ContractError(place.path, f"{step.name} takes two contracts as {name!r}")
        if asked.is_required:
            path = f"{place.path}.options.{asked.option}"
            wiring[name] = _provider(asked.contract, place, path=path)
        elif (position := _earlier(asked.contract, place)) is not None:
            wiring[name] = position
        else:
            continue
        inputs[name] = asked.contract
    return inputs, wiring


def _provider(contract: type[Contract], place: Place, *, path: str) -> int | None:
    position = _earlier(contract, place)
    if position is not None or contract in get_workflow(place.workflow).provides:
        return position
    raise ContractError(
        path,
        f"takes {contract.__name__}, which no earlier entry returns; {_remedy(contract, place)}",
    )


def _earlier(contract: type[Contract], place: Place) -> int | None:
    """Return the latest earlier position that provides the contract, if one does."""
    for position in range(len(place.earlier) - 1, -1, -1):
        output = place.earlier[position]
        if output is not None and issubclass(output, contract):
            return position
    return None


def _remedy(contract: type[Contract], place: Place) -> str:
    for position, entry in enumerate(place.later, start=len(place.earlier) + 1):
        output = _output_of(entry)
        if output is not None and issubclass(output, contract):
            name = entry.get("name", entry["step"])
            return f"entries[{position}] ({name}) returns it: move it before this one"
    fitting = [each.name for each in all_steps() if issubclass(each.output, contract)]
    if fitting:
        return f"put a step before it that does: {', '.join(fitting)}"
    return "no registered step does"


def _output_of(entry: object) -> type[Contract] | None:
    """Return what a later entry would return, or None where it does not fit itself."""
    try:
        if isinstance(entry, Mapping) and isinstance(entry.get("step"), str):
            step = get_step(entry["step"])
            options = (
                step.options[1].model_validate(entry.get("options", {})) if step.options else None
            )
            return step.bind(options).output
    except (ContractError, ValueError):
        return None  # its own fault is told once this one is mended
    return None
