"""Which entry feeds which input: what the types of a graph's steps make of its order."""

from collections.abc import Sequence
from dataclasses import dataclass

from workflows.graphs import Plan, StepEntry


@dataclass(frozen=True)
class Wire:
    """One input of one entry.

    Attributes:
        provider: the entry whose output it takes; None for what was frozen at dispatch.
    """

    entry: str
    parameter: str
    contract: str
    provider: str | None


def wires_of(plan: Plan) -> list[Wire]:
    """Return every input of every step of the plan, in order."""
    return [
        Wire(
            entry.name,
            parameter,
            contract.__name__,
            None if (provider := entry.wiring[parameter]) is None else plan.entries[provider].name,
        )
        for entry in plan.step_entries
        for parameter, contract in entry.inputs.items()
    ]


def draw_wiring(plan: Plan) -> list[str]:
    """Return a line an entry, for a terminal: what it takes from where, and what it returns."""
    wires = wires_of(plan)
    width = max(len(entry.name) for entry in plan.entries)
    lines = []
    for entry in plan.entries:
        if not isinstance(entry, StepEntry):
            kind = type(entry).__name__.removesuffix("Entry").lower()
            lines.append(f"{entry.name:<{width}}  ({kind})")
            continue
        taken = _taken([wire for wire in wires if wire.entry == entry.name])
        lines.append(f"{entry.name:<{width}}  {taken} → {entry.output.__name__}")
    return lines


def _taken(wires: Sequence[Wire]) -> str:
    """Return the inputs by where they come from; those of the envelope stand alone."""
    return ", ".join(
        wire.contract + (f" of {wire.provider}" if wire.provider else "") for wire in wires
    )
