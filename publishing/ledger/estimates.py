"""What a brief, or a verb on its instance, is expected to cost, and the most that it can.

The most is what each step of the graph says of itself; the caps may stop it earlier. Expected is
what the same step cost the lane's last briefs, and before there are any what its prompt comes to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from django.db import connection

from lanes.models import Lane
from lanes.selection import WORKFLOW, plan_for
from publishing.ledger import prices
from publishing.ledger.prices import Estimate
from publishing.ledger.regenerations import regeneration_in_force
from publishing.models import Call
from workflows.graphs import StepEntry, load_plan
from workflows.models import Instance

Verb = Literal["retry", "restart", "regenerate"]

USUAL_PROMPT_BYTES = 40_000  # a bundle, a brief and three pages of sources
_LAST_CALLS = 2_000  # of all lanes; a lane that wrote nothing among them has no history here


@runtime_checkable
class WritesText(Protocol):
    """Options of a step that pays for one text."""

    max_tokens: int
    economy: bool

    @property
    def model_in_use(self) -> str:
        """The model that is asked."""


@dataclass(frozen=True)
class EntryEstimate:
    """What one entry of the graph may cost.

    Attributes:
        is_paid_already: its answer is stored, and is served for the same request.
    """

    entry: str
    expected_micros: int
    worst_micros: int
    is_paid_already: bool = False


@dataclass(frozen=True)
class SpendEstimate:
    """What all entries may cost that may cost anything, in their order."""

    entries: tuple[EntryEstimate, ...]

    @property
    def total(self) -> Estimate:
        """All together."""
        return Estimate(
            expected_micros=sum(each.expected_micros for each in self.entries),
            worst_micros=sum(each.worst_micros for each in self.entries),
        )


def estimate_brief(lane: Lane, *, prompt_bytes: int = USUAL_PROMPT_BYTES) -> SpendEstimate:
    """Return what a new brief of the lane may cost, by the graph that it would be given now.

    Args:
        lane: where it would be posted.
        prompt_bytes: about how long the request for its text is.

    Raises:
        UnknownPriceError: a model of the lane has no price; the brief would end in this error.
        LaneWithoutBundleError, ContractError: as `plan_for` has it.
    """
    plan = load_plan(plan_for(lane).graph.pk, WORKFLOW)
    found = estimate_entries(plan.step_entries, lane.name, prompt_bytes=prompt_bytes)
    return SpendEstimate(tuple(found))


def estimate_verb(instance: Instance, verb: Verb, *, begin: int) -> SpendEstimate:
    """Return what a verb may cost that runs an instance from a position on.

    An answer that is stored is expected to be served again, except by `regenerate`, which is
    there to pay again. The most does not count on it: the request may have changed.

    Raises:
        UnknownPriceError: a model has no price.
        ContractError: this code cannot run the instance's graph.
    """
    plan = load_plan(instance.graph_id, instance.workflow)
    later = [each for each in plan.entries[begin:] if isinstance(each, StepEntry)]
    found = estimate_entries(later, instance.partition)
    stored = set() if verb == "regenerate" else _paid_entries(instance, found)
    return SpendEstimate(
        tuple(
            EntryEstimate(each.entry, 0, each.worst_micros, is_paid_already=True)
            if each.entry in stored
            else each
            for each in found
        )
    )


def estimate_entries(
    entries: Sequence[StepEntry], lane: str, *, prompt_bytes: int = USUAL_PROMPT_BYTES
) -> list[EntryEstimate]:
    """Return what each of them may cost a brief of the lane that has paid for nothing yet.

    Raises:
        UnknownPriceError: a model has no price.
    """
    worst = {
        entry.name: entry.step.worst_case(entry.options)
        for entry in entries
        if entry.step.worst_case is not None
    }
    history = _usual_costs(lane, [name for name, micros in worst.items() if micros])
    return [
        EntryEstimate(
            entry.name,
            min(worst[entry.name], _expected(entry, history, worst, prompt_bytes)),
            worst[entry.name],
        )
        for entry in entries
        if worst.get(entry.name)
    ]


def _expected(
    entry: StepEntry, history: dict[str, int], worst: dict[str, int], prompt_bytes: int
) -> int:
    if entry.name in history:
        return history[entry.name]
    options: Any = entry.options
    if isinstance(options, WritesText):
        return prices.estimate(
            options.model_in_use,
            prompt_bytes=prompt_bytes,
            max_tokens=options.max_tokens,
            is_batch=options.economy,
        ).expected_micros
    return worst[entry.name]


def _usual_costs(lane: str, entries: Sequence[str]) -> dict[str, int]:
    """Return what each entry cost a brief of the lane on average, lately."""
    if not entries:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_USUAL, [_LAST_CALLS, lane, list(entries)])
        return {entry: int(micros) for entry, micros in cursor.fetchall()}


def _paid_entries(instance: Instance, entries: Sequence[EntryEstimate]) -> set[str]:
    """Return the entries of which an answer is stored under the key that would be asked for."""
    brief_id = getattr(getattr(instance, "brief", None), "brief_id", None)
    if brief_id is None:
        return set()
    rows = Call.objects.filter(brief_id=brief_id, answer__isnull=False)
    keys = list(
        rows.filter(state__in=[Call.State.SETTLED, Call.State.UNKNOWN]).values_list(
            "key", flat=True
        )
    )
    return {each.entry for each in entries if _is_stored(brief_id, each.entry, instance, keys)}


def _is_stored(brief_id: str, entry: str, instance: Instance, keys: Sequence[str]) -> bool:
    if not any(key.startswith(f"{brief_id}/{entry}/") for key in keys):
        return False
    in_force = regeneration_in_force(brief_id, entry=entry, generation=instance.generation)
    return any(key.startswith(f"{brief_id}/{entry}/{in_force.number}/") for key in keys)


_USUAL = """
with latest as (
    select lane, entry, brief_id, state, cost_micros from publishing_call
    order by created_at desc limit %s
)
select entry, ceil(sum(cost_micros) / count(distinct brief_id))
from latest where lane = %s and entry = any(%s) and state = 'settled'
group by entry
"""
