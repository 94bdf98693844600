"""What a prompt step's answer may be: a contract that a model can say, and its schema."""

import inspect
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lanes.contracts import BundleSpecs
from publishing.payloads import Brief, Fact, Note
from publishing.writing.schemas import InexpressibleError, schema_of
from publishing.writing.templates import nameable_contracts
from workflows.contracts import Contract
from workflows.errors import ContractError
from workflows.registry import get_contract

# The brief names who pays, and a bundle's specs rule generate: both are as they were dispatched.
_DISPATCHED = (Brief, BundleSpecs)


@dataclass(frozen=True)
class Offer:
    """A contract that is asked of a model.

    Attributes:
        schema: of the answer, in the API's words.
        carried: fields that are facts; they are taken from the earlier output, never asked for.
    """

    contract: type[Contract]
    schema: dict[str, Any]
    carried: tuple[str, ...]


def read_offer(provides: str) -> Offer:
    """Return what the option `provides` means; empty is a `Note`.

    Raises:
        ContractError: no contract has this name, or no model can say it; with what would fit.
    """
    contract = Note if not provides else _named(provides)
    if contract in _DISPATCHED or issubclass(contract, Fact):
        raise _refused(f"{provides} is not for a model to say: {_reason(contract)}")
    try:
        return _offer(contract)
    except InexpressibleError as error:
        raise _refused(f"{provides} cannot be asked of a model: {error}") from None


def _named(provides: str) -> type[Contract]:
    if not any(each.__name__ == provides for each in nameable_contracts()):
        raise _refused(f"no contract is called {provides!r}")
    try:
        return get_contract(provides)
    except ContractError as error:
        raise ContractError("provides", error.message) from None


def _offer(contract: type[Contract]) -> Offer:
    carried = tuple(
        name
        for name, field in contract.model_fields.items()
        if inspect.isclass(field.annotation) and issubclass(field.annotation, Fact)
    )
    for name, field in contract.model_fields.items():
        if name not in carried and any(issubclass(each, Fact) for each in _held(field.annotation)):
            raise InexpressibleError(f"{contract.__name__}.{name} holds what only a stage can say")
    return Offer(contract, schema_of(contract, without=carried), carried)


def _held(
    annotation: Any, seen: frozenset[type[Contract]] = frozenset()
) -> Iterator[type[Contract]]:
    """Yield every contract within an annotation."""
    for inner in typing.get_args(annotation):
        yield from _held(inner, seen)
    if inspect.isclass(annotation) and issubclass(annotation, Contract) and annotation not in seen:
        yield annotation
        for field in annotation.model_fields.values():
            yield from _held(field.annotation, seen | {annotation})


def _reason(contract: type[Contract]) -> str:
    if contract in _DISPATCHED:
        return "it stays what the instance was dispatched with"
    return "it states what a stage has done"


def _refused(why: str) -> ContractError:
    return ContractError("provides", f"{why}; there are {', '.join(_fitting())}, or nothing")


def _fitting() -> list[str]:
    return [each.__name__ for each in nameable_contracts() if _can_be_offered(each)]


def _can_be_offered(contract: type[Contract]) -> bool:
    if contract in _DISPATCHED or issubclass(contract, Fact):
        return False
    try:
        _offer(contract)
    except InexpressibleError:
        return False
    return True
