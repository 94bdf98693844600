"""The tour: every kind of entry in one graph, in four versions that end differently.

Each call of a step leaves a mark, a line in a file, at once; a transactional step leaves a row.
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group

from workflows.contracts import Contract, StepContext, Transaction
from workflows.errors import NonRetryableError, Park, RetryableError
from workflows.registry import register_workflow, step
from workflows.retries import RetryPolicy

SHORTLY = timedelta(milliseconds=20)
QUICK = RetryPolicy(retries=2, delay=SHORTLY, timeout=timedelta(seconds=30))

SIGHTS: list[dict[str, Any]] = [
    {"step": "tour_plain", "name": "plain"},
    {"sleep": 0.02, "name": "nap"},
    {"until": "/at", "name": "day"},
    {"wait": "approval", "name": "review"},
    {"wait": "nothing", "name": "knock", "timeout": 0.02, "on_timeout": "continue"},
    {"step": "tour_failing", "name": "failing"},
    {"step": "tour_parking", "name": "parking"},
    {"step": "tour_transactional", "name": "transactional"},
]
TOURS: dict[str, list[dict[str, Any]]] = {
    "last": [*SIGHTS, {"step": "tour_plain", "name": "last"}],
    "last_transactional": [*SIGHTS, {"step": "tour_transactional", "name": "last_transactional"}],
    "farewell": [*SIGHTS, {"wait": "goodbye", "name": "farewell"}],
    "refusing": [SIGHTS[0], SIGHTS[-1], {"step": "tour_refusing", "name": "refusing"}],
    "slow": [{"step": "tour_slow", "name": "slow"}, *SIGHTS[-1:]],
}


class Tour(Contract):
    """What a tour is started with."""

    marks: str
    at: datetime


class Seen(Contract):
    """What each step returns."""

    entry: str


register_workflow("tour", provides={Tour: lambda envelope: Tour.model_validate(envelope)})


def _mark(tour: Tour, context: StepContext) -> Seen:
    with Path(tour.marks).open("a") as file:
        file.write(f"{context.key} {context.entry} {context.attempt}\n")
    return Seen(entry=context.entry)


@step("tour_plain", policy=QUICK)
def plain(tour: Tour, context: StepContext) -> Seen:
    """Leave a mark."""
    return _mark(tour, context)


@step("tour_slow", policy=QUICK)
def slow(tour: Tour, context: StepContext) -> Seen:
    """Take a while, so that something can happen meanwhile."""
    time.sleep(0.2)
    return _mark(tour, context)


@step("tour_failing", policy=QUICK)
def failing(tour: Tour, context: StepContext) -> Seen:
    """Fail once."""
    _mark(tour, context)
    if context.failures == 0:
        raise RetryableError("fails once", delay=SHORTLY)
    return Seen(entry=context.entry)


@step("tour_parking", policy=QUICK)
def parking(tour: Tour, context: StepContext) -> Seen:
    """Ask to be put aside at the first attempt."""
    _mark(tour, context)
    if context.attempt == 1:
        raise Park("busy", "steps aside once", until=datetime.now(UTC) + SHORTLY)
    return Seen(entry=context.entry)


@step("tour_transactional", policy=QUICK)
def transactional(tour: Tour, context: StepContext) -> Transaction[Seen]:
    """Leave a row together with the record."""
    _mark(tour, context)

    def leave() -> Seen:
        Group.objects.create(name=f"{context.key} {context.entry} {context.attempt}")
        return Seen(entry=context.entry)

    return Transaction(leave)


@step("tour_refusing", policy=QUICK)
def refusing(tour: Tour, context: StepContext) -> Seen:
    """End the tour as errored."""
    _mark(tour, context)
    raise NonRetryableError("no further")
