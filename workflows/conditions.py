"""What decides whether a `wait` entry waits: fields of what earlier entries returned.

A reference is `Contract/field`, or `*/field` for every contract that has the field. It reads all
earlier outputs of the contract, so of two notes for a reviewer neither is missed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows.contracts import Contract
from workflows.errors import ContractError
from workflows.registry import all_steps

ANY = "*"
WORDS = (
    "is `Contract/field`, such as Cleaned/flags, or a list of such references; `*/field` is every "
    "earlier output that has the field"
)


@dataclass(frozen=True)
class Condition:
    """One reference, resolved.

    Attributes:
        fields: names on the way from the output to the value; the last one's truth decides.
        outputs: position and contract of each earlier output that is read; at least one.
    """

    reference: str
    fields: tuple[str, ...]
    outputs: tuple[tuple[int, type[Contract]], ...]


def prove_conditions(
    given: object, *, path: str, earlier: Sequence[type[Contract] | None]
) -> tuple[Condition, ...]:
    """Return the conditions of a wait, of which any one that holds lets it wait.

    Args:
        given: a reference or a list of them.
        path: where it stands, such as `entries[8].when`.
        earlier: the contracts that the entries before it return, None for one that is no step.

    Raises:
        ContractError: it is no reference, or nothing earlier has what it names; with what fits.
    """
    references = [given] if isinstance(given, str) else given
    if not isinstance(references, list) or not references:
        raise ContractError(path, WORDS)
    return tuple(_prove(reference, path, earlier) for reference in references)


def value_at(output: Contract, fields: Sequence[str]) -> Any:
    """Return what stands in an output at the end of the names; None where one before it is None."""
    value: Any = output
    for field in fields:
        value = getattr(value, field, None)
    return value


def _prove(reference: object, path: str, earlier: Sequence[type[Contract] | None]) -> Condition:
    parts = reference.split("/") if isinstance(reference, str) else []
    if len(parts) < 2 or not all(parts):
        raise ContractError(path, WORDS)
    name, *fields = parts
    if name == ANY:
        found = [(n, one) for n, one in _outputs(earlier) if _has(one, fields)]
    else:
        found = [(n, one) for n, one in _outputs(earlier) if name in _names(one)]
        for _, contract in found:
            _follow(contract, fields, path)
    if not found:
        raise ContractError(path, _nothing_fits(name, fields[0], earlier))
    return Condition("/".join(parts), tuple(fields), tuple(found))


def _outputs(earlier: Sequence[type[Contract] | None]) -> Iterator[tuple[int, type[Contract]]]:
    return ((n, contract) for n, contract in enumerate(earlier) if contract is not None)


def _names(contract: type[Contract]) -> set[str]:
    return {base.__name__ for base in contract.__mro__ if issubclass(base, Contract)}


def _has(contract: type[Contract], fields: Sequence[str]) -> bool:
    try:
        _follow(contract, fields, "")
    except ContractError:
        return False
    return True


def _follow(contract: type[Contract], fields: Sequence[str], path: str) -> None:
    """Go from field to field, or say which of them is missing and which there are."""
    at: Any = contract
    for field in fields:
        known: Mapping[str, Any] = getattr(at, "model_fields", {})
        if field not in known:
            where = getattr(at, "__name__", str(at))
            fitting = ", ".join(known) or "none: it is no contract"
            raise ContractError(path, f"{where} has no field {field!r}; there are {fitting}")
        at = known[field].annotation


def _nothing_fits(name: str, field: str, earlier: Sequence[type[Contract] | None]) -> str:
    returned = dict.fromkeys(contract.__name__ for _, contract in _outputs(earlier))
    there = f"the entries before it return {', '.join(returned) or 'nothing'}"
    if name == ANY:
        return f"no earlier entry returns a field {field!r}; {there}"
    steps = [each.name for each in all_steps() if name in _names(each.output)]
    if steps:
        return f"no earlier entry returns {name}; put one before it that does: {', '.join(steps)}"
    return f"no step returns {name}; {there}"
