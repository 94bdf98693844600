"""Take a brief in: at most once for each brief_id, for ever.

The rule on the wall: *The ID is `publish-{brief_id}`. Nothing is ever added to it: no timestamp,
no lane, no attempt.*
"""

import logging
import math
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from lanes.models import Lane
from lanes.selection import WORKFLOW, DispatchPlan, LaneWithoutBundleError, plan_for
from publishing.intake.differences import find_differences
from publishing.intake.faults import read_brief, read_brief_id, read_object
from publishing.intake.refusals import (
    BriefIdTakenError,
    LaneClosedError,
    LaneNotReadyError,
    LaneOutOfScopeError,
    SameTextError,
    TooFastError,
)
from publishing.intake.texts import hold_text, holder_of, text_digest
from publishing.models import Brief, Routine
from publishing.payloads import Brief as Payload
from workflows.dispatch import create_instance
from workflows.errors import ContractError, DuplicateInstanceError

logger = logging.getLogger(__name__)

_LANE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_RATE_WINDOW = timedelta(minutes=1)


@dataclass(frozen=True)
class Sender:
    """Who submits: a routine with its lanes, or the command line with all of them.

    Attributes:
        trigger: `api` or `command`, kept with the instance.
        lanes: names of the lanes that it may post to and see.
    """

    trigger: str
    lanes: frozenset[str]
    routine: Routine | None = None


@dataclass(frozen=True)
class Submission:
    """What became of a brief.

    Attributes:
        created: False if the brief_id was used before; then the first brief stands.
        changed: JSON pointers to where the payload differs from the one that stands.
    """

    brief: Brief
    created: bool
    changed: list[str] = field(default_factory=list)


def submit_brief(body: object, sender: Sender) -> Submission:
    """Create the brief's instance, or return the one that its brief_id has.

    A brief_id that is known is answered before anything else is looked at: an agent that
    re-drafts on retry and is refused would mint a new ID and publish twice.

    Raises:
        publishing.intake.refusals.RefusedError: nothing was created; its class says why.
        workflows.errors.CreateBusyError: a twin held the ID for too long; nothing was created.
    """
    payload = read_object(body)
    brief_id = read_brief_id(payload)
    first = _find(brief_id)
    if first is not None:
        return _absorb(first, payload, sender)
    lane = _find_lane(payload.get("lane"))
    brief = read_brief(payload, lane_exists=lane is not None, allowed_lanes=sender.lanes)
    plan = _plan(cast("Lane", lane), sender)  # a lane that does not exist was refused
    try:
        row = _create(brief, payload, plan, sender)
    except DuplicateInstanceError:
        # A twin committed since we looked; the constraint decided.
        first = Brief.objects.select_related("lane").get(brief_id=brief_id)
        return _absorb(first, payload, sender)
    return Submission(brief=row, created=True)


def _find(brief_id: str) -> Brief | None:
    return Brief.objects.select_related("lane").filter(brief_id=brief_id).first()


def _find_lane(name: object) -> Lane | None:
    if not isinstance(name, str) or not _LANE_NAME.fullmatch(name):
        return None  # Postgres could not even be asked for some of these
    return Lane.objects.select_related("bundle", "options", "graph").filter(name=name).first()


def _absorb(first: Brief, payload: dict[str, Any], sender: Sender) -> Submission:
    if first.lane.name not in sender.lanes:
        raise BriefIdTakenError
    Brief.objects.filter(pk=first.pk).update(duplicates=F("duplicates") + 1)
    changed = find_differences(first.payload, payload)
    return Submission(brief=first, created=False, changed=changed)


def _plan(lane: Lane, sender: Sender) -> DispatchPlan:
    if lane.name not in sender.lanes:
        raise LaneOutOfScopeError(lane.name, sorted(sender.lanes))
    if lane.closed_because:
        raise LaneClosedError(lane.name, lane.closed_because)
    try:
        return plan_for(lane)
    except (LaneWithoutBundleError, ContractError) as error:
        logger.exception("no brief can be taken for lane %s", lane.name)
        raise LaneNotReadyError(lane.name) from error


@transaction.atomic
def _create(brief: Payload, payload: dict[str, Any], plan: DispatchPlan, sender: Sender) -> Brief:
    """Create instance, brief and text in one transaction; what refuses rolls all back."""
    if sender.routine is not None and sender.routine.rate_per_minute is not None:
        # Its row is the lock under which its briefs are counted.
        Routine.objects.select_for_update(no_key=True).get(pk=sender.routine.pk)
    # First, because a twin must hear "already queued" and not that it is too fast.
    instance = create_instance(
        workflow=WORKFLOW,
        key=brief.brief_id,
        partition=plan.lane.name,
        graph=plan.graph.pk,
        envelope={"brief": brief.model_dump(mode="json", exclude_unset=True)} | plan.envelope,
        trigger=sender.trigger,
    )
    _refuse_haste(sender.routine)
    row = Brief.objects.create(
        brief_id=brief.brief_id,
        lane=plan.lane,
        routine=sender.routine,
        instance_id=instance,
        bundle=plan.bundle,
        payload=payload,
    )
    digest = text_digest(brief)
    if not hold_text(row, digest):
        raise SameTextError(_name_of_holder(digest, sender))
    return row


def _refuse_haste(routine: Routine | None) -> None:
    if routine is None or routine.rate_per_minute is None:
        return
    now = timezone.now()
    newest = list(
        Brief.objects.filter(routine=routine, created_at__gt=now - _RATE_WINDOW)
        .order_by("-created_at")
        .values_list("created_at", flat=True)[: routine.rate_per_minute]
    )
    if len(newest) < routine.rate_per_minute:
        return
    free_at = (newest[-1] if newest else now) + _RATE_WINDOW
    wait = max(1, math.ceil((free_at - now).total_seconds()))
    raise TooFastError(routine.rate_per_minute, wait)


def _name_of_holder(digest: str, sender: Sender) -> str | None:
    holder = holder_of(digest)
    if holder is None or holder.lane.name not in sender.lanes:
        return None
    return str(holder.instance.instance_id)
