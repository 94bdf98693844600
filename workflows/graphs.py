"""Step graphs: stored lists of entries, proved against the registered steps' contracts."""

import hashlib
import json
import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal

from pydantic import ValidationError

from workflows.conditions import Condition, prove_conditions
from workflows.contracts import Contract, StepOptions
from workflows.errors import ContractError
from workflows.models import StepGraph
from workflows.registry import NAME, get_step
from workflows.retries import LONGEST_SECONDS, PolicyOverride, RetryPolicy
from workflows.steps import Step
from workflows.wiring import Place, wire

ENTRIES_MAX = 100
WAIT_SECONDS = 24 * 3600  # of a wait that names no timeout, as on Cloudflare Workflows
EVENT_TYPE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
EVENT_TYPE_WORDS = "letters, digits, `_`, `-` and `.`, at most 100"


@dataclass(frozen=True)
class StepEntry:
    """A step with its options: what it reads, where from, and what it returns.

    Attributes:
        inputs: the contracts that it takes here, by parameter or by its binding's name; an
            optional one that nothing provides is none of them.
        output: the contract that it returns here.
        wiring: of each input the position of the providing entry, or None where the workflow's
            envelope provides it.
        policy: the step's, with what the entry says otherwise.
        bound_inputs: names of those inputs that its options asked for.
    """

    name: str
    step: Step
    options: StepOptions | None
    inputs: Mapping[str, type[Contract]]
    output: type[Contract]
    wiring: Mapping[str, int | None]
    policy: RetryPolicy
    bound_inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class UntilEntry:
    """Waits until the moment that a JSON pointer finds in the envelope; passes if there is none."""

    name: str
    pointer: str


@dataclass(frozen=True)
class SleepEntry:
    """Waits for a while, counted from when it is reached."""

    name: str
    duration: timedelta


@dataclass(frozen=True)
class WaitEntry:
    """Waits for an event of a type; the oldest one that was sent to this generation ends it.

    Attributes:
        timeout: after which it ends without one; None waits for ever.
        on_timeout: `error` ends the instance as errored, `continue` goes on without an event.
        when: it waits if any of these holds, else it is passed at once; empty waits always.
    """

    name: str
    type: str
    timeout: timedelta | None
    on_timeout: Literal["error", "continue"]
    when: tuple[Condition, ...] = ()


Entry = StepEntry | UntilEntry | SleepEntry | WaitEntry


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


def outputs_read(entry: Entry) -> list[tuple[int, type[Contract]]]:
    """Return position and contract of each earlier output that the entry reads."""
    if isinstance(entry, StepEntry):
        return [
            (position, entry.inputs[parameter])
            for parameter, position in entry.wiring.items()
            if position is not None
        ]
    if isinstance(entry, WaitEntry):
        return [output for condition in entry.when for output in condition.outputs]
    return []


def prove_graph(entries: Sequence[Mapping[str, Any]], *, workflow: str) -> Plan:
    """Return the plan of a graph that may be put to use as things stand, or say what does not fit.

    That is `wire_graph`, and what each step says of its options today: prices change.

    Raises:
        ContractError: with the JSON path of the first place that does not fit.
    """
    plan = wire_graph(entries, workflow=workflow)
    for position, entry in enumerate(plan.entries):
        if isinstance(entry, StepEntry) and entry.step.judge is not None:
            with _of_options(f"entries[{position}]"):
                entry.step.judge(entry.options)
    return plan


def wire_graph(entries: Sequence[Mapping[str, Any]], *, workflow: str) -> Plan:
    """Return the plan of a graph by its contracts alone, or say what does not fit.

    Each input resolves to the latest earlier entry that provides its contract, else to what the
    workflow's envelope provides.

    Raises:
        ContractError: with the JSON path of the first place that does not fit.
    """
    if not 0 < len(entries) <= ENTRIES_MAX:
        raise ContractError("entries", f"a graph has 1 to {ENTRIES_MAX} entries")
    proved: list[Entry] = []
    for position, entry in enumerate(entries):
        place = Place(
            path=f"entries[{position}]",
            workflow=workflow,
            earlier=[each.output if isinstance(each, StepEntry) else None for each in proved],
            later=entries[position + 1 :],
        )
        made = _prove_entry(entry, place)
        if any(made.name == other.name for other in proved):
            raise ContractError(
                f"{place.path}.name", f"{made.name!r} stands twice; name one otherwise"
            )
        proved.append(made)
    return Plan(workflow=workflow, entries=tuple(proved))


def store_graph(entries: Sequence[Mapping[str, Any]], *, workflow: str) -> StepGraph:
    """Prove the graph and return its one immutable row, made at the first call.

    One that is stored already was judged then, and is only wired again: a price that has risen
    since stops the step that would pay it, and not what asks for its graph.

    Raises:
        ContractError: with the JSON path of the first place that does not fit; nothing is stored.
    """
    digest = hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
    if stored := StepGraph.objects.filter(digest=digest).first():
        wire_graph(entries, workflow=workflow)
        return stored
    prove_graph(entries, workflow=workflow)
    return StepGraph.objects.get_or_create(digest=digest, defaults={"entries": entries})[0]


@lru_cache(maxsize=1024)
def load_plan(graph: int, workflow: str) -> Plan:
    """Return the plan of a stored graph; rows never change, so a process proves each once."""
    return wire_graph(StepGraph.objects.get(pk=graph).entries, workflow=workflow)


def _prove_entry(entry: Mapping[str, Any], place: Place) -> Entry:
    path = place.path
    kinds = [kind for kind in ("step", "wait", "sleep", "until") if kind in entry]
    if len(kinds) != 1:
        raise ContractError(path, "an entry has one of `step`, `wait`, `sleep` and `until`")
    if kinds != ["step"]:
        made = _WAITS[kinds[0]](entry, path)
        return _with_conditions(made, entry, place) if "when" in entry else made
    _refuse_unknown(entry, {"step", "name", "options", "policy"}, path)
    step = get_step(entry["step"])
    options = _options(step, entry.get("options", {}), path)
    with _of_options(path):
        binding = step.bind(options)
    inputs, wiring = wire(step, binding, place)
    return StepEntry(
        name=_name(entry.get("name", step.name), path),
        step=step,
        options=options,
        inputs=inputs,
        output=binding.output,
        wiring=wiring,
        policy=_policy(step, entry.get("policy"), path),
        bound_inputs=tuple(name for name in binding.inputs if name in inputs),
    )


@contextmanager
def _of_options(path: str) -> Iterator[None]:
    """Let what a step says of its options begin at their entry."""
    try:
        yield
    except ContractError as error:
        raise ContractError(f"{path}.options.{error.path}", error.message) from None


def _prove_until(entry: Mapping[str, Any], path: str) -> UntilEntry:
    _refuse_unknown(entry, {"until", "name"}, path)
    pointer = entry["until"]
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise ContractError(f"{path}.until", "is a JSON pointer into the envelope, such as /at")
    return UntilEntry(name=_name(entry.get("name", ""), path), pointer=pointer)


def _prove_sleep(entry: Mapping[str, Any], path: str) -> SleepEntry:
    _refuse_unknown(entry, {"sleep", "name"}, path)
    duration = _seconds(entry["sleep"], f"{path}.sleep")
    return SleepEntry(name=_name(entry.get("name", ""), path), duration=duration)


def _prove_wait(entry: Mapping[str, Any], path: str) -> WaitEntry:
    _refuse_unknown(entry, {"wait", "name", "timeout", "on_timeout", "when"}, path)
    if not isinstance(entry["wait"], str) or not EVENT_TYPE.fullmatch(entry["wait"]):
        raise ContractError(f"{path}.wait", f"is an event type: {EVENT_TYPE_WORDS}")
    timeout = entry.get("timeout", WAIT_SECONDS)
    on_timeout = entry.get("on_timeout", "error")
    if on_timeout not in ("error", "continue"):
        raise ContractError(f"{path}.on_timeout", "is `error` or `continue`")
    return WaitEntry(
        name=_name(entry.get("name", entry["wait"]), path),
        type=entry["wait"],
        timeout=None if timeout is None else _seconds(timeout, f"{path}.timeout"),
        on_timeout=on_timeout,
    )


def _with_conditions(made: Entry, entry: Mapping[str, Any], place: Place) -> Entry:
    when = prove_conditions(entry["when"], path=f"{place.path}.when", earlier=place.earlier)
    return replace(typing.cast("WaitEntry", made), when=when)


_WAITS: Mapping[str, Callable[[Mapping[str, Any], str], Entry]] = {
    "until": _prove_until,
    "sleep": _prove_sleep,
    "wait": _prove_wait,
}


def _seconds(given: object, path: str) -> timedelta:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not 0 < typing.cast("float", given) <= LONGEST_SECONDS:
        raise ContractError(path, "is a number of seconds, more than 0 and at most 365 days")
    return timedelta(seconds=typing.cast("float", given))


def _policy(step: Step, given: object, path: str) -> RetryPolicy:
    if given is None:
        return step.policy
    try:
        return step.policy.overridden(PolicyOverride.model_validate(given))
    except ValidationError as error:
        raise _unfit(error, f"{path}.policy") from None


def _options(step: Step, given: object, path: str) -> StepOptions | None:
    if step.options is None:
        if given:
            raise ContractError(f"{path}.options", f"{step.name} has no options")
        return None
    try:
        return step.options[1].model_validate(given)
    except ValidationError as error:
        raise _unfit(error, f"{path}.options") from None


def _unfit(error: ValidationError, path: str) -> ContractError:
    """Return the first fault, by path and without the value, which may be a secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    return ContractError(".".join(str(part) for part in (path, *first["loc"])), first["msg"])


def _name(name: object, path: str) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ContractError(f"{path}.name", "is a-z, 0-9 and _, from a letter, at most 60")
    return name


def _refuse_unknown(entry: Mapping[str, Any], known: set[str], path: str) -> None:
    for field in entry:
        if field not in known:
            fitting = ", ".join(sorted(known))
            raise ContractError(f"{path}.{field}", f"is unknown; there are {fitting}")
