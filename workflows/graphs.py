"""Step graphs: stored lists of entries, proved against the registered steps' contracts."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from workflows.contracts import Contract, StepOptions
from workflows.errors import ContractError
from workflows.models import StepGraph
from workflows.registry import NAME, Step, get_step, get_workflow

ENTRIES_MAX = 100


@dataclass(frozen=True)
class StepEntry:
    """A step with its options, and where each of its inputs comes from.

    Attributes:
        wiring: parameter name to the position of the providing entry, or None where the
            workflow's envelope provides it.
    """

    name: str
    step: Step
    options: StepOptions | None
    wiring: Mapping[str, int | None]


@dataclass(frozen=True)
class UntilEntry:
    """Waits until the moment that a JSON pointer finds in the envelope; passes if there is none."""

    name: str
    pointer: str


Entry = StepEntry | UntilEntry


@dataclass(frozen=True)
class Plan:
    """A graph that was proved: its entries can be run in this order by this code."""

    workflow: str
    entries: tuple[Entry, ...]

    @property
    def step_entries(self) -> list[StepEntry]:
        """The entries that are steps, in order."""
        return [entry for entry in self.entries if isinstance(entry, StepEntry)]

    def position_of(self, name: str) -> int:
        """Return the position of the entry, or raise ContractError naming those that exist."""
        for position, entry in enumerate(self.entries):
            if entry.name == name:
                return position
        known = ", ".join(entry.name for entry in self.entries)
        raise ContractError(name, f"no entry has this name; there are {known}")


def prove_graph(entries: Sequence[Mapping[str, Any]], *, workflow: str) -> Plan:
    """Return the plan of a graph, or say what does not fit.

    Each input resolves to the latest earlier entry that provides its contract, else to what the
    workflow's envelope provides.

    Raises:
        ContractError: with the JSON path of the first place that does not fit.
    """
    if not 0 < len(entries) <= ENTRIES_MAX:
        raise ContractError("entries", f"a graph has 1 to {ENTRIES_MAX} entries")
    proved: list[Entry] = []
    for position, entry in enumerate(entries):
        path = f"entries[{position}]"
        made = _prove_entry(entry, path=path, workflow=workflow, earlier=proved)
        if any(made.name == other.name for other in proved):
            raise ContractError(f"{path}.name", f"{made.name!r} stands twice; name one otherwise")
        proved.append(made)
    return Plan(workflow=workflow, entries=tuple(proved))


def store_graph(entries: Sequence[Mapping[str, Any]], *, workflow: str) -> StepGraph:
    """Prove the graph and return its one immutable row, made at the first call."""
    prove_graph(entries, workflow=workflow)
    digest = hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
    return StepGraph.objects.get_or_create(digest=digest, defaults={"entries": entries})[0]


@lru_cache(maxsize=1024)
def load_plan(graph: int, workflow: str) -> Plan:
    """Return the plan of a stored graph; rows never change, so a process proves each once."""
    return prove_graph(StepGraph.objects.get(pk=graph).entries, workflow=workflow)


def _prove_entry(
    entry: Mapping[str, Any], *, path: str, workflow: str, earlier: Sequence[Entry]
) -> Entry:
    if "until" in entry:
        return _prove_until(entry, path=path)
    if "step" not in entry:
        raise ContractError(path, "an entry has a `step`, or an `until`")
    _refuse_unknown(entry, {"step", "name", "options"}, path)
    step = get_step(entry["step"])
    return StepEntry(
        name=_name(entry.get("name", step.name), path),
        step=step,
        options=_options(step, entry.get("options", {}), path),
        wiring={
            parameter: _provider(contract, f"{path}.{parameter}", workflow, earlier)
            for parameter, contract in step.inputs.items()
        },
    )


def _prove_until(entry: Mapping[str, Any], *, path: str) -> UntilEntry:
    _refuse_unknown(entry, {"until", "name"}, path)
    pointer = entry["until"]
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise ContractError(f"{path}.until", "is a JSON pointer into the envelope, such as /at")
    return UntilEntry(name=_name(entry.get("name", ""), path), pointer=pointer)


def _options(step: Step, given: object, path: str) -> StepOptions | None:
    if step.options is None:
        if given:
            raise ContractError(f"{path}.options", f"{step.name} has no options")
        return None
    try:
        return step.options[1].model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("options", *first["loc"]))
        raise ContractError(f"{path}.{where}", first["msg"]) from None


def _provider(
    contract: type[Contract], path: str, workflow: str, earlier: Sequence[Entry]
) -> int | None:
    for position in range(len(earlier) - 1, -1, -1):
        entry = earlier[position]
        if isinstance(entry, StepEntry) and issubclass(entry.step.output, contract):
            return position
    if contract in get_workflow(workflow).provides:
        return None
    raise ContractError(
        path, f"takes {contract.__name__}, which no earlier entry returns; move one before it"
    )


def _name(name: object, path: str) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ContractError(f"{path}.name", "is a-z, 0-9 and _, from a letter, at most 60")
    return name


def _refuse_unknown(entry: Mapping[str, Any], known: set[str], path: str) -> None:
    for field in entry:
        if field not in known:
            fitting = ", ".join(sorted(known))
            raise ContractError(f"{path}.{field}", f"is unknown; there are {fitting}")
