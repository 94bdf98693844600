"""Steps that the engine is tried with: they do what their order says, and leave marks.

A mark is a line in a file of the order, written at once, so that it survives a killed process;
a transactional step's mark is a row.
"""

import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
from django.contrib.auth.models import Group

from tests.trial import modelled  # noqa: F401 - so that every process has the same code version
from workflows.contracts import Contract, StepContext, StepOptions, Transaction
from workflows.errors import NonRetryableError, Park, RetryableError
from workflows.registry import register_workflow, step
from workflows.retries import RetryPolicy

QUICK = RetryPolicy(retries=2, delay=timedelta(milliseconds=50), timeout=timedelta(seconds=30))


class Order(Contract):
    """What a trial instance was sent with."""

    marks: str
    fail_times: int = 0
    delay: float | None = None
    characters: int = 0
    refuse: bool = False
    seconds: float = 0.0
    die_at: str = ""
    park: bool = False
    at: datetime | None = None
    odd_error: bool = False
    tell: bool = False
    hang_times: int = 0
    url: str = ""
    park_naively: bool = False
    odd_output: bool = False


class First(Contract):
    """Output of the first step."""

    said: str


class Second(Contract):
    """Output of the second step."""

    said: str


class Third(Contract):
    """Output of the third step."""

    said: str


class SecondOptions(StepOptions):
    """Options of the second step."""

    loud: bool = False


register_workflow("trial", provides={Order: lambda envelope: Order.model_validate(envelope)})

ENTRIES = [{"step": "trial_first"}, {"step": "trial_second"}, {"step": "trial_third"}]


def mark(order: Order, line: str) -> int:
    """Append a line to the order's file, durably enough for SIGKILL; return how many there are."""
    path = Path(order.marks)
    with path.open("a") as file:
        file.write(line + "\n")
    return path.read_text().splitlines().count(line)


def _perhaps_die(order: Order, entry: str) -> None:
    if order.die_at == entry:
        os.kill(os.getpid(), signal.SIGKILL)


@step("trial_first", policy=QUICK)
def first(order: Order, context: StepContext) -> First:
    """Fail, die or take time as ordered."""
    mark(order, f"{context.key} first {context.generation}")
    _perhaps_die(order, "first")
    if order.url:
        httpx2.get(order.url, timeout=60, trust_env=False)
    time.sleep(order.seconds)
    return First(said="x" * order.characters or context.key)


@step("trial_second", policy=QUICK)
def second(order: Order, said: First, options: SecondOptions, context: StepContext) -> Second:
    """Fail so many times, or for good, or park."""
    times = mark(order, f"{context.key} second {context.generation}")
    if order.tell:
        left = round((context.deadline - datetime.now(UTC)).total_seconds())
        mark(order, f"told {context.attempt} {context.failures} {left}")
    _perhaps_die(order, "second")
    if times <= order.hang_times:
        threading.Event().wait()
    if order.odd_error:
        raise NonRetryableError("odd \x00 \ud800", data={"nul": "\x00", "nan": float("nan")})
    if order.refuse:
        raise NonRetryableError("refused as ordered", data={"order": "refuse"})
    if order.park_naively:
        raise Park("busy", "parked as ordered", until=datetime(2026, 11, 23))  # noqa: DTZ001
    if order.odd_output:
        return Second(said="\ud800")
    if order.park and times == 1:
        raise Park("operator", "parked as ordered")
    if times <= order.fail_times:
        delay = None if order.delay is None else timedelta(seconds=order.delay)
        raise RetryableError(f"failed as ordered, time {times}", delay=delay)
    time.sleep(order.seconds)
    return Second(said=said.said.upper() if options.loud else said.said)


@step("trial_third", policy=QUICK)
def third(order: Order, said: Second, context: StepContext) -> Transaction[Third]:
    """Leave a row together with the record."""
    mark(order, f"{context.key} third {context.generation}")

    def leave() -> Third:
        Group.objects.create(name=f"{context.key} {context.generation} {context.attempt}")
        _perhaps_die(order, "third")
        return Third(said=said.said)

    return Transaction(leave)


class Secret(Contract):
    """Output of the step whose output is nobody's business."""

    token: str


class Read(Contract):
    """Output of the step that reads the secret."""

    characters: int


@step("trial_secret", policy=QUICK, sensitive=True)
def secret(order: Order) -> Secret:
    """Return what must not be seen."""
    return Secret(token="hunter2")


@step("trial_reader", policy=QUICK)
def reader(secret: Secret) -> Read:
    """Read what must not be seen."""
    return Read(characters=len(secret.token))
