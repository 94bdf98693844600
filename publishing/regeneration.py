"""Regenerate: pay again for a brief, from an entry on, because a person wants it otherwise."""

from dataclasses import dataclass
from typing import Literal

from django.db import transaction

from lanes.contracts import BundleSpecs
from lanes.models import Bundle
from publishing.ledger.caps import cap_for, read_caps
from publishing.ledger.estimates import SpendEstimate, estimate_verb
from publishing.ledger.regenerations import regeneration_in_force
from publishing.models import Brief, Bucket, Cap, Regeneration
from workflows import verbs
from workflows.errors import VerbRefusedError
from workflows.graphs import StepEntry, load_plan
from workflows.models import Instance

BundleChoice = Literal["same", "current"]


class TooDearError(VerbRefusedError):
    """It may cost more than its brief's cap has left; nothing changed."""


@dataclass(frozen=True)
class RegenerationEstimate:
    """What a regeneration may cost.

    Attributes:
        spend: by entry, those that may cost anything.
        left_micros: what the brief's cap has left.
    """

    spend: SpendEstimate
    left_micros: int

    @property
    def expected_micros(self) -> int:
        """What it usually comes to."""
        return self.spend.total.expected_micros

    @property
    def worst_micros(self) -> int:
        """The sum of the most that each entry may cost."""
        return self.spend.total.worst_micros

    @property
    def entries(self) -> dict[str, int]:
        """The entries that may cost anything, with their most."""
        return {each.entry: each.worst_micros for each in self.spend.entries}

    @property
    def is_too_dear(self) -> bool:
        """Whether it would be refused."""
        return self.worst_micros > self.left_micros


@dataclass(frozen=True)
class Bundles:
    """What a regeneration may be written under.

    Attributes:
        same: the version of the last writing.
        current: the version that the lane uses now; None where it has none.
        is_read: whether a step from the entry on reads the bundle at all.
    """

    same: Bundle
    current: Bundle | None
    is_read: bool


def estimate_regeneration(instance_id: str, entry: str) -> RegenerationEstimate:
    """Return what regenerating from the entry on may cost, and what the brief has left.

    Raises:
        UnknownInstanceError: no such instance.
        ContractError: the graph has no such entry.
        UnknownPriceError: a model that would be asked has no price.
        VerbRefusedError: the instance is no brief's.
    """
    instance = verbs.get_instance(instance_id)
    brief = _brief_of(instance)
    begin = load_plan(instance.graph_id, instance.workflow).position_of(entry)
    return RegenerationEstimate(
        spend=estimate_verb(instance, "regenerate", begin=begin), left_micros=left_of(brief)
    )


def bundles_for(instance_id: str, entry: str) -> Bundles:
    """Return the bundle versions that a regeneration from the entry on may be written under.

    Raises:
        UnknownInstanceError: no such instance.
        ContractError: the graph has no such entry.
        VerbRefusedError: the instance is no brief's.
    """
    instance = verbs.get_instance(instance_id)
    brief = _brief_of(instance)
    plan = load_plan(instance.graph_id, instance.workflow)
    readers = [
        each.name
        for each in plan.entries[plan.position_of(entry) :]
        if isinstance(each, StepEntry) and BundleSpecs in each.step.inputs.values()
    ]
    in_force = regeneration_in_force(
        brief.brief_id, entry=readers[0] if readers else entry, generation=instance.generation
    )
    same = brief.bundle
    if in_force.bundle is not None:
        same = Bundle.objects.get(lane=brief.lane_id, version=in_force.bundle.version)
    return Bundles(same=same, current=brief.lane.bundle, is_read=bool(readers))


@transaction.atomic
def regenerate(
    instance_id: str,
    entry: str,
    *,
    actor: str,
    why: str,
    bundle: BundleChoice,
    generation: int,
) -> Regeneration:
    """Restart from the entry on, under keys that were not paid for yet; all or nothing.

    Its number is that of the generation which it begins, so each attempt knows by its own
    generation which regenerations hold for it.

    Args:
        instance_id: the whole ID.
        entry: the first that runs, and pays, again.
        actor: who asks.
        why: kept with the regeneration and in the event log.
        bundle: `same` as it was last written under, or the lane's `current` one.
        generation: the one that the caller has seen; of two who saw the same, one regenerates.

    Raises:
        UnknownInstanceError: no such instance.
        ContractError: the graph has no such entry.
        TooDearError: the worst case exceeds what the brief's cap has left.
        VerbRefusedError: no reason, no brief, the entry was not reached yet, or somebody was
            faster; nothing changed.
    """
    if not why.strip():
        raise VerbRefusedError("regenerate: it pays again, so say why; nothing changed")
    instance = verbs.get_instance(instance_id, lock=True)
    brief = _brief_of(instance)
    worst_micros = _refuse_too_dear(instance_id, entry)
    verbs.restart(
        instance_id, actor=actor, generation=generation, entry=entry, why=f"regenerate: {why}"
    )
    return Regeneration.objects.create(
        brief_id=brief.brief_id,
        entry=entry,
        number=generation + 1,
        actor=actor,
        why=why,
        worst_micros=worst_micros,
        bundle=_current_version(brief) if bundle == "current" else None,
    )


def left_of(brief: Brief) -> int:
    """Return what the brief's cap has left now; each call is still bounded when it is made."""
    cap_micros = cap_for(read_caps(), Cap.Scope.BRIEF.value, brief.lane.name)
    bucket = Bucket.objects.filter(key=f"brief:{brief.brief_id}").first()
    used = bucket.spent_micros + bucket.held_micros if bucket else 0
    return max(0, cap_micros - used)


def _refuse_too_dear(instance_id: str, entry: str) -> int:
    estimate = estimate_regeneration(instance_id, entry)
    if estimate.is_too_dear:
        raise TooDearError(
            f"regenerate: {instance_id} from {entry} on may cost {estimate.worst_micros} "
            f"micro-dollars, and its brief's cap has {estimate.left_micros} left; raise the cap "
            "in the admin. Nothing changed"
        )
    return estimate.worst_micros


def _brief_of(instance: Instance) -> Brief:
    brief = Brief.objects.select_related("lane__bundle", "bundle").filter(instance=instance).first()
    if brief is None:
        raise VerbRefusedError(f"regenerate: {instance.instance_id} is no brief's; nothing changed")
    return brief


def _current_version(brief: Brief) -> int:
    if brief.lane.bundle is None:
        raise VerbRefusedError(
            f"regenerate: the lane {brief.lane.name} has no bundle in use; nothing changed"
        )
    return int(brief.lane.bundle.version)
