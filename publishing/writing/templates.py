"""Templates of prompt steps: words with `{{ type.field }}`, and nothing else.

`type` is the name of a contract in small letters, its words parted by `_` (`FetchedSource` is
`fetched_source`), and `field` one of its fields, or a field of a contract that is its field:
`{{ draft.written_by.model }}`. There are no tags, filters, calls or indexes. A template is read
once, from its beginning to its end; what a field holds is put in its place and never read again.
"""

import difflib
import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Never

from lanes.contracts import BundleSpecs
from workflows.contracts import Contract
from workflows.errors import ContractError
from workflows.registry import all_contracts, all_steps

SLOTS_MAX = 50

_MARK = re.compile(r"\{\{|\}\}|\{%|\{#")
_SLOT = re.compile(r"\{\{\s*([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)\s*\}\}", re.ASCII)
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Slot:
    """A place in a template that a field fills.

    Attributes:
        type: the contract's name, as templates write it.
        fields: from the contract to what is meant; the names of its path.
        at: where it stands, for people.
    """

    type: str
    fields: tuple[str, ...]
    at: str

    def __str__(self) -> str:
        return ".".join((self.type, *self.fields))


Part = str | Slot


def name_of(contract: type[Contract]) -> str:
    """Return what templates call the contract: BundleSpecs is `bundle_specs`."""
    return _WORD.sub("_", contract.__name__).lower()


def nameable_contracts() -> list[type[Contract]]:
    """Return the registered contracts but for the engine's own, by name."""
    return [each for each in all_contracts() if not each.__module__.startswith("workflows.")]


def read_template(template: str) -> list[Part]:
    """Return the template's words and slots, in order.

    Raises:
        ContractError: it says nothing, or holds anything but words and slots; with line and column.
    """
    if "\x00" in template:
        raise ContractError("template", "holds NUL, which Postgres cannot hold")
    parts = [part for part in _parts_of(template) if part]
    if not any(isinstance(part, str) and part.strip() for part in parts):
        raise ContractError("template", "says nothing: write what the model is to do")
    if sum(isinstance(part, Slot) for part in parts) > SLOTS_MAX:
        raise ContractError(
            "template", f"names more than {SLOTS_MAX} fields; fewer and larger ones would do"
        )
    return parts


def inputs_of(parts: Sequence[Part]) -> dict[str, type[Contract]]:
    """Return the contracts that the slots ask for, by the names that templates give them.

    Raises:
        ContractError: no contract or no field has this name, or it must not be sent to a model.
    """
    slots = [part for part in parts if isinstance(part, Slot)]
    found = {slot.type: _contract_of(slot) for slot in slots}
    for slot in slots:
        _check_fields(slot, found[slot.type])
    return found


def value_of(slot: Slot, inputs: Mapping[str, Contract]) -> str:
    """Return what fills the slot: text as it is, anything else as JSON, nothing for None."""
    value: Any = inputs[slot.type].model_dump(mode="json")
    for field in slot.fields:
        value = value[field]
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def _parts_of(template: str) -> Iterator[Part]:
    begin = 0
    while mark := _MARK.search(template, begin):
        at = _place(template, mark.start())
        found = _SLOT.match(template, mark.start())
        if found is None:
            _refuse(template, mark, at)
        yield template[begin : mark.start()]
        name, *fields = found[1].split(".")
        if not fields:
            raise ContractError("template", f"{at}: {name} is a type; name a field: {name}.field")
        yield Slot(name, tuple(fields), at)
        begin = found.end()
    yield template[begin:]


def _refuse(template: str, mark: re.Match[str], at: str) -> Never:
    """Say what is wrong with braces that begin no slot."""
    if mark[0] != "{{":
        why = {
            "}}": "`}}` closes nothing; write `} }` where two braces are meant",
            "{%": "`{%` would be a tag; there are no tags, only {{ type.field }}",
            "{#": "`{#` would be a comment; there are none, only {{ type.field }}",
        }[mark[0]]
        raise ContractError("template", f"{at}: {why}")
    end = _MARK.search(template, mark.end())
    if end is None or end[0] != "}}":
        raise ContractError(
            "template",
            f"{at}: `{{{{` is not closed by `}}}}`; write `{{ {{` where braces are meant",
        )
    inner = template[mark.end() : end.start()]
    for sign, what in (("|", "filters"), ("(", "calls"), ("[", "indexes")):
        if sign in inner:
            raise ContractError("template", f"{at}: there are no {what}, only {{{{ type.field }}}}")
    raise ContractError("template", f"{at}: between the braces stands type.field, and nothing else")


def _contract_of(slot: Slot) -> type[Contract]:
    named = [contract for contract in nameable_contracts() if name_of(contract) == slot.type]
    if not named:
        fitting = _fitting(slot.type, [name_of(each) for each in _sendable()])
        raise _misfit(slot, f"no contract is called {slot.type}{fitting}")
    if len(named) > 1:
        places = " and ".join(each.__module__ for each in named)
        raise _misfit(slot, f"{places} both have a contract called {slot.type}; rename one")
    if named[0] is BundleSpecs:
        raise _misfit(
            slot,
            "a bundle's specs go to generate only; write into the template what this prompt needs",
        )
    if _is_sensitive(named[0]):
        raise _misfit(slot, f"{slot.type} is returned by a sensitive step and goes to no model")
    return named[0]


def _sendable() -> list[type[Contract]]:
    return [each for each in all_contracts() if each is not BundleSpecs and not _is_sensitive(each)]


def _is_sensitive(contract: type[Contract]) -> bool:
    return any(step.is_sensitive and issubclass(step.output, contract) for step in all_steps())


def _check_fields(slot: Slot, contract: type[Contract]) -> None:
    inner, known = contract, slot.type
    for position, field in enumerate(slot.fields):
        if field not in inner.model_fields:
            fitting = _fitting(field, list(inner.model_fields))
            raise _misfit(slot, f"{known} has no field {field}{fitting}")
        known = f"{known}.{field}"
        annotation = inner.model_fields[field].annotation
        if position == len(slot.fields) - 1:
            return
        if not (inspect.isclass(annotation) and issubclass(annotation, Contract)):
            raise _misfit(slot, f"{known} is no contract and has no fields; it goes as a whole")
        inner = annotation


def _fitting(given: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(given, names, 1)
    meant = f" ({near[0]}?)" if near else ""
    return f"{meant}; there are {', '.join(names)}"


def _misfit(slot: Slot, why: str) -> ContractError:
    return ContractError("template", f"{slot.at}: {why}")


def _place(template: str, offset: int) -> str:
    line = template.count("\n", 0, offset) + 1
    column = offset - template.rfind("\n", 0, offset)
    return f"line {line}, column {column}"
