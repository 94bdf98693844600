"""From a lane to the entries that its briefs are run with, and the proof that they can be.

A lane has its own graph or the spine. The lane's values are filled in, its options are laid over,
and the result is proved by `workflows.graphs`: at every save, by `manage.py check`, by load_lanes,
and again at dispatch. All four name the same place in the same words, because it is this code.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lanes.models import Lane
from lanes.plain_json import read_entries, read_options
from lanes.review import REVIEW, compile_review, is_review
from lanes.specs import patterns_of
from lanes.spine import SPINE, WORKFLOW
from workflows.errors import ContractError, UnknownStepError
from workflows.graphs import Plan, prove_graph
from workflows.registry import get_step

LANE_VALUES = ("name", "title", "description", "hue", "anti_patterns")

Entries = list[dict[str, Any]]

_AT = re.compile(r"entries\[(?P<position>\d+)\](?:\.options(?:\.(?P<option>\w+))?)?(?P<rest>.*)")


@dataclass(frozen=True)
class Makeup:
    """What a lane is, or would be, run with.

    Attributes:
        lane: whose values are filled in; its own graph and options are not looked at.
        graph: entries of its own, or None for the spine.
        options: by entry, laid over the graph's own.
    """

    lane: Lane
    graph: object | None
    options: object

    @classmethod
    def of(cls, lane: Lane) -> "Makeup":
        """Return what the lane is run with now."""
        return cls(
            lane,
            lane.graph.entries if lane.graph else None,
            lane.options.entries if lane.options else {},
        )

    @property
    def origin(self) -> str:
        """What paths to its entries begin with."""
        return "spine" if self.graph is None else "graph"

    def path_of_options(self, name: str, position: int) -> str:
        """Return the path at which an entry's options were set last."""
        is_laid_over = bool(read_options(self.options).get(name))
        return f"options.{name}" if is_laid_over else f"{self.origin}.entries[{position}].options"


def compile_entries(lane: Lane) -> Entries:
    """Return the lane's graph with its own values and options in it; what dispatch stores.

    Raises:
        ContractError: options stand under a name that no step has, or a value is none of a lane's.
    """
    return compile_makeup(Makeup.of(lane))


def compile_proved(lane: Lane) -> Entries:
    """Return the entries as `compile_entries` does, after the proof that they fit one another.

    Compiled once: every new brief asks for this.

    Raises:
        ContractError: as `prove_makeup` has it.
    """
    _, compiled = _prove(Makeup.of(lane))
    return [entry for _, entry in compiled]


def compile_makeup(made: Makeup) -> Entries:
    """Return the entries, without the proof that they fit one another.

    Raises:
        ContractError: as `compile_entries`; or graph or options have another shape.
    """
    return [entry for _, entry in _compile_all(made)]


def prove_lane(lane: Lane) -> Plan:
    """Return the plan of the lane as it stands, or raise ContractError with the path of a fault."""
    return prove_makeup(Makeup.of(lane))


def prove_makeup(made: Makeup) -> Plan:
    """Return the plan, or say what does not fit and what would.

    Raises:
        ContractError: its path begins with `graph`, `spine` or `options`.
    """
    plan, _ = _prove(made)
    return plan


def name_of(entry: Mapping[str, Any]) -> str:
    """Return what the entry is called, as far as it is well-formed; else nothing."""
    name = entry.get("name", entry.get("step", entry.get("wait", "")))
    return name if isinstance(name, str) else ""


def _prove(made: Makeup) -> tuple[Plan, list[tuple[int, dict[str, Any]]]]:
    compiled = _compile_all(made)
    try:
        plan = prove_graph([entry for _, entry in compiled], workflow=WORKFLOW)
    except ContractError as error:
        raise _placed(error, made, compiled) from None
    if made.graph is not None:
        _refuse_other_end(plan)
    return plan, compiled


def _compile_all(made: Makeup) -> list[tuple[int, dict[str, Any]]]:
    """Return each entry that is run, with its position in the lane's graph.

    A review that a lane never has is left out.
    """
    entries = SPINE if made.graph is None else _own_entries(made.graph)
    options = read_options(made.options)
    _refuse_stray_options(options, entries)
    compiled = (
        _compile(entry, made.lane, options, path=f"{made.origin}.entries[{position}]")
        for position, entry in enumerate(entries)
    )
    return [(position, entry) for position, entry in enumerate(compiled) if entry is not None]


def _own_entries(graph: object) -> Entries:
    entries = read_entries(graph, path="graph.entries")
    if not entries:
        raise ContractError("graph.entries", "has no entries; leave the graph out for the spine")
    return entries


def _refuse_stray_options(options: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> None:
    known = [name_of(entry) for entry in entries if "step" in entry or is_review(entry)]
    for name in options:
        if name not in known:
            raise ContractError(
                f"options.{name}", f"no step has this name; there are {', '.join(known)}"
            )


def _compile(
    entry: dict[str, Any], lane: Lane, laid_over: Mapping[str, Mapping[str, Any]], *, path: str
) -> dict[str, Any] | None:
    if is_review(entry):
        return compile_review(laid_over.get(REVIEW, {}))
    own = entry.get("options", {})
    if "step" not in entry or not isinstance(own, dict):
        return entry  # a wait has none; what is no object is refused by the proof
    options = {
        option: _filled(value, lane, f"{path}.options.{option}") for option, value in own.items()
    }
    options |= laid_over.get(name_of(entry), {})
    return entry | {"options": options} if options else entry


def _filled(value: Any, lane: Lane, path: str) -> Any:
    """Return the option's value; `{"lane": "hue"}` stands for the lane's own."""
    if not isinstance(value, dict) or value.keys() != {"lane"}:
        return value
    if value["lane"] not in LANE_VALUES:
        raise ContractError(path, f"a lane has no such value; it has {', '.join(LANE_VALUES)}")
    if value["lane"] == "anti_patterns":
        return _patterns(lane)
    return getattr(lane, value["lane"])


def _patterns(lane: Lane) -> list[dict[str, Any]]:
    """Return what a text can be searched for, of the bundle in use."""
    listed = patterns_of(lane.bundle) if lane.bundle else []
    return [each.model_dump(mode="json") for each in listed if each.pattern]


def _refuse_other_end(plan: Plan) -> None:
    last = next(entry["step"] for entry in reversed(SPINE) if "step" in entry)
    promised = get_step(last).output
    if not any(issubclass(entry.output, promised) for entry in plan.step_entries):
        raise ContractError(
            "graph.entries",
            f"nothing returns {promised.__name__}, with which every brief ends; `{last}` does: "
            "add it",
        )


def _placed(
    error: ContractError, made: Makeup, compiled: Sequence[tuple[int, dict[str, Any]]]
) -> ContractError:
    """Return the error with the path at which an editor finds the fault, and what would fit."""
    path = error.path
    if isinstance(error, UnknownStepError) and not path.startswith("entries"):
        place = next(n for n, (_, entry) in enumerate(compiled) if entry.get("step") == path)
        path = f"entries[{place}].step"
    found = _AT.fullmatch(path)
    if found is None:
        return ContractError(f"{made.origin}.{path}", error.message)
    (position, entry), option = compiled[int(found["position"])], found["option"]
    path = path.replace(f"[{found['position']}]", f"[{position}]", 1)
    message = _with_what_fits(error.message, entry, option, found["rest"])
    laid_over = read_options(made.options).get(name_of(entry), {})
    is_laid_over = option in laid_over or (".options" in path and not option and laid_over)
    if is_laid_over:
        parts = ("options", name_of(entry), option)
        return ContractError(".".join(part for part in parts if part) + found["rest"], message)
    return ContractError(f"{made.origin}.{path}", message)


def _with_what_fits(message: str, entry: Mapping[str, Any], option: str | None, rest: str) -> str:
    """Name the options that a step has, where one is given that it has not."""
    if option is None or rest:
        return message
    options = get_step(entry["step"]).options
    known = options[1].model_fields if options else {}
    if not known or option in known:
        return message
    return f"is no option of {entry['step']}; there are {', '.join(sorted(known))}"
