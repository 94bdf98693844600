"""The exact request that generate would send for a brief, made without sending or reserving."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from lanes.compiler import prove_lane
from lanes.models import Bundle, Lane
from lanes.selection import WORKFLOW, load_bundle
from publishing.ledger.dry_runs import DryRun, dry_run
from publishing.models import Brief
from publishing.payloads import Brief as BriefPayload
from publishing.payloads import Grounded
from publishing.writing.prompting import build_request
from workflows.errors import ContractError
from workflows.graphs import StepEntry, load_plan
from workflows.models import Instance

_STEP = "generate"


@dataclass(frozen=True)
class Preview:
    """A request and what it would come to.

    Attributes:
        body: as it goes over the wire, byte for byte.
        is_grounded: whether it holds the sources as the brief's instance fetched them.
        has_key: whether a run would send it at all; else the offline author composes.
        is_batch: whether it would be sent as part of a batch, at its price.
    """

    request: Mapping[str, Any]
    run: DryRun
    is_grounded: bool
    has_key: bool
    is_batch: bool

    @property
    def body(self) -> bytes:
        """The bytes of the request."""
        return self.run.body


def preview_request(lane: Lane, brief: Brief, bundle: Bundle) -> Preview:
    """Return what generate would send for the brief in this lane, under a version of its bundle.

    Sources stand in it as the brief's instance recorded them; before that it has none.

    Raises:
        ContractError: the lane cannot be run, or no entry of its graph writes.
        NonRetryableError: the request does not fit, or its model has no price.
    """
    options: Any = _writing_entry(lane).options
    grounded = _recorded_sources(brief.instance)
    request = build_request(
        BriefPayload.model_validate(brief.payload),
        grounded or Grounded(sources=[]),
        load_bundle(bundle.pk),
        model=options.model_in_use,
        max_tokens=options.max_tokens,
        most_bytes=options.prompt_bytes,
    )
    return Preview(
        request=request,
        run=dry_run(request, is_batch=options.economy),
        is_grounded=grounded is not None,
        has_key=bool(settings.ANTHROPIC_API_KEY),
        is_batch=options.economy,
    )


def _writing_entry(lane: Lane) -> StepEntry:
    for entry in prove_lane(lane).step_entries:
        if entry.step.name == _STEP:
            return entry
    raise ContractError("graph.entries", f"no entry is `{_STEP}`, so nothing asks for a text")


def _recorded_sources(instance: Instance) -> Grounded | None:
    """Return what the instance's own generate reads, or None while it is not recorded."""
    if instance.workflow != WORKFLOW:
        return None
    try:
        plan = load_plan(instance.graph_id, instance.workflow)
    except ContractError:  # another code's graph; its records may have another shape too
        return None
    writing = next((entry for entry in plan.step_entries if entry.step.name == _STEP), None)
    place = writing.wiring.get("grounded") if writing else None
    if place is None:
        return None
    record = instance.records.filter(position=place, superseded=False, sensitive=False).first()
    return Grounded.model_validate(record.output) if record else None
