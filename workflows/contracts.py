"""The typed things that steps read and return, and what a step is told about its attempt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """Base of every typed input and output of a step: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StepOptions(BaseModel):
    """Base of a step's typed options, as they stand in a graph entry."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Output = TypeVar("Output", bound=Contract)


@dataclass(frozen=True)
class Transaction(Generic[Output]):
    """The transactional end of a step: `effect` commits together with the step's record.

    `effect` runs in one database transaction with the fence check, so what it writes happens
    exactly once. It may lock rows and write; it makes no network call and enters no ledger.
    """

    effect: Callable[[], Output]


@dataclass(frozen=True)
class BoundInput:
    """An input that a step's options ask for.

    Attributes:
        option: the one that asks for it; what provides nothing is reported there.
        is_required: whether the graph is refused when nothing provides it.
    """

    contract: type[Contract]
    option: str
    is_required: bool = True


@dataclass(frozen=True)
class Binding:
    """What a step reads and returns under its options, where its annotations cannot say it.

    Attributes:
        inputs: by a name of the step's own; besides those of its annotations.
        output: the contract that it returns.
    """

    inputs: Mapping[str, BoundInput]
    output: type[Contract]


@dataclass(frozen=True)
class Bound:
    """What its binding came to, as the step is given it.

    Attributes:
        inputs: by the binding's names; an optional one is missing where nothing provides it.
        output: the contract that it must return.
    """

    inputs: Mapping[str, Contract]
    output: type[Contract]


@dataclass(frozen=True)
class StepContext:
    """What a step may know of its own attempt.

    Attributes:
        instance_id: the whole ID, for messages.
        key: the part after the workflow's name; for `publish` the brief_id.
        entry: the name of the graph entry, unique in its graph.
        generation: the number of the (re)start, from 1.
        attempt: the number of this try in this generation, from 1; lost ones count.
        failures: failed tries before this one, since an operator last retried it.
        deadline: when the attempt is failed by the watchdog; aware, UTC.
        drain: opaque id of the drain that drives; 0 outside of one.
    """

    instance_id: str
    key: str
    entry: str
    generation: int
    attempt: int
    deadline: datetime
    drain: int
    failures: int = 0
