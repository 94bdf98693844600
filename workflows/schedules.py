"""Schedules: workflows that start at set times, as `{workflow}-{name}-{time}`, once for each.

The time is in the ID, so that any number of hosts may start what is due: one creates it, the others
find it. Of the times that were missed while nobody worked only the last one is made up for.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cronsim import CronSim, CronSimError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from workflows.chores import every
from workflows.dispatch import create_instance
from workflows.errors import ContractError, DuplicateInstanceError, ScheduleError
from workflows.graphs import prove_graph, store_graph
from workflows.models import Schedule, Trigger
from workflows.payloads import dumps
from workflows.registry import NAME, get_workflow

logger = logging.getLogger(__name__)


def save_schedule(
    name: str,
    *,
    workflow: str,
    cron: str,
    entries: Sequence[Mapping[str, Any]],
    envelope: dict[str, Any] | None = None,
    partition: str = "",
    is_on: bool = True,
) -> Schedule:
    """Make the schedule, or change the one of this name.

    Args:
        name: a-z, 0-9 and _; a part of the IDs.
        workflow: name of a registered workflow that the clock may start.
        cron: five fields in UTC, such as `15 3 * * *`.
        entries: the graph that each instance runs.
        envelope: what each instance is started with; `scheduled_at` is added.
        partition: of the instances; the workflow's name if empty.
        is_on: whether it starts anything.

    Raises:
        ScheduleError: name, times, workflow or graph does not fit; nothing changed.
        PayloadError: the envelope cannot be stored.
    """
    if not NAME.fullmatch(name):
        raise ScheduleError(f"{name!r}: a name is a-z, 0-9 and _, from a letter, at most 60")
    try:
        if not get_workflow(workflow).schedulable:
            raise ScheduleError(f"{name}: {workflow} is never started by the clock")
        prove_graph(entries, workflow=workflow)
    except ContractError as error:
        raise ScheduleError(f"{name}: {error}") from None
    dumps(envelope or {}, what=f"the envelope of schedule {name}")
    saved, _ = Schedule.objects.update_or_create(
        name=name,
        defaults={
            "workflow": workflow,
            "cron": cron,
            "entries": list(entries),
            "envelope": envelope or {},
            "partition": partition or workflow,
            "is_on": is_on,
            "next_at": next_time(cron, after=timezone.now()),
        },
    )
    return saved


def turn_off(name: str) -> Schedule:
    """Stop it in any case, also one whose workflow or graph this code no longer has.

    Raises:
        ScheduleError: there is none of this name.
    """
    Schedule.objects.filter(name=name).update(is_on=False)
    return _find(Schedule.objects.all(), name)


@transaction.atomic
def turn_on(name: str) -> Schedule:
    """Save it anew: it is proved, and goes on from its next time, not from one that it missed.

    Raises:
        ScheduleError: there is none of this name, or this code cannot run it.
    """
    kept = _find(Schedule.objects.select_for_update(), name)
    return save_schedule(
        name,
        workflow=kept.workflow,
        cron=kept.cron,
        entries=kept.entries,
        envelope=kept.envelope,
        partition=kept.partition,
    )


def next_time(cron: str, *, after: datetime) -> datetime:
    """Return the first moment of the cron line after another, in UTC.

    Raises:
        ScheduleError: the line is none, or names a day that never comes.
    """
    try:
        return next(CronSim(cron, after.astimezone(UTC)))
    except (CronSimError, StopIteration):
        raise ScheduleError(
            f"{cron!r} is no cron line: five fields (minute, hour, day, month, weekday), in UTC"
        ) from None


@every(timedelta(seconds=1))
def start_due() -> int:
    """Start what is due; return how many instances were created here."""
    now = timezone.now()
    due = Schedule.objects.filter(is_on=True, next_at__lte=now).values_list("pk", flat=True)
    return sum(_start(pk, now) for pk in due)


@transaction.atomic
def _start(pk: int, now: datetime) -> int:
    """Create the instance of the last time that has passed, and set the next, in one transaction.

    Another host that does the same waits for the row, and finds that its time has moved on.
    """
    schedule = Schedule.objects.select_for_update().get(pk=pk)
    if not schedule.is_on or schedule.next_at > now:
        return 0
    at = schedule.next_at
    while (following := next_time(schedule.cron, after=at)) <= now:
        at = following
    schedule.next_at, schedule.last_at = following, at
    schedule.save(update_fields=["next_at", "last_at"])
    try:
        create_instance(
            workflow=schedule.workflow,
            key=f"{schedule.name}-{at:%Y%m%dT%H%MZ}",
            partition=schedule.partition,
            graph=store_graph(schedule.entries, workflow=schedule.workflow).pk,
            envelope=schedule.envelope | {"scheduled_at": at.isoformat()},
            trigger=Trigger.SCHEDULE,
        )
    except DuplicateInstanceError as error:
        logger.info("schedule %s: %s", schedule.name, error)
        return 0
    except ContractError as drift:
        logger.error("schedule %s starts nothing: %s", schedule.name, drift)  # noqa: TRY400
        return 0
    return 1


def _find(schedules: QuerySet[Schedule, Schedule], name: str) -> Schedule:
    found = schedules.filter(name=name).first()
    if found is None:
        known = ", ".join(Schedule.objects.order_by("name").values_list("name", flat=True))
        raise ScheduleError(f"there is no schedule {name!r}; there are {known or 'none yet'}")
    return found
