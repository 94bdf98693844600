"""Which regeneration a step runs under: its number in the calls' keys, and its bundle."""

from dataclasses import dataclass

from lanes.contracts import BundleSpecs
from lanes.models import Bundle
from lanes.selection import load_bundle
from publishing.models import Brief, Regeneration
from workflows.graphs import load_plan


@dataclass(frozen=True)
class InForce:
    """What a person's regenerations mean for one entry.

    Attributes:
        number: the generation that the last of them began; 0 without one. It stands in the key.
        bundle: the specs to write under instead of the envelope's; None for those.
    """

    number: int = 0
    bundle: BundleSpecs | None = None


def regeneration_in_force(brief_id: str, *, entry: str, generation: int) -> InForce:
    """Return the regeneration that holds for an entry in a generation of the brief's instance.

    One that was ordered after this generation began says nothing to it: a driver that has not
    noticed yet that it was overtaken asks under the key it always had.
    """
    ordered = list(
        Regeneration.objects.filter(brief_id=brief_id, number__lte=generation).order_by("-number")
    )
    if not ordered:
        return InForce()
    brief = Brief.objects.select_related("instance").get(brief_id=brief_id)
    plan = load_plan(brief.instance.graph_id, brief.instance.workflow)
    position = plan.position_of(entry)
    holding = [each for each in ordered if plan.position_of(each.entry) <= position]
    versions = [each.bundle for each in holding if each.bundle is not None]
    return InForce(
        number=holding[0].number if holding else 0,
        bundle=_specs_of(brief, versions[0]) if versions else None,
    )


def _specs_of(brief: Brief, version: int) -> BundleSpecs:
    return load_bundle(Bundle.objects.get(lane=brief.lane_id, version=version).pk)
