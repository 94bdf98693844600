"""A worker is killed in every window of a paid call, at every step that pays; the books add up.

The points are derived from the ledger's statements: whoever adds one that commits adds its case.
"""

import pkgutil
import re
from functools import partial
from importlib import import_module

import pytest
from django.db import connection

from publishing import ledger
from publishing.models import Call
from tests.flows.economy import ECONOMY
from tests.flows.paying import (
    PAID_STEPS,
    USUAL,
    Town,
    calls_of,
    check_nothing_ran_again,
)
from tests.publishing.anthropic_server import Exchange, Script
from tests.workflows.conftest import is_in, wait_until
from workflows.models import Instance, Status
from workflows.statements import Statement

pytestmark = pytest.mark.django_db(transaction=True)

MODULES = list(pkgutil.iter_modules(ledger.__path__))
COMMITS = re.compile(r"\b(insert\s+into|update\s+\w+|delete\s+from)\b", re.IGNORECASE)

# What a step's calls have come to when it is done: their states, and how often each was served.
ONE = [("settled", 0)]
HELD_IN_VAIN = [("unknown", 0), ("settled", 0)]
SERVED = [("settled", 1)]

# The points at which a worker dies, one after the other; the calls in the end; requests sent.
WINDOWS: dict[str, tuple[tuple[str, ...], list[tuple[str, int]], int]] = {
    "buckets not made": (("ledger.make_buckets:before",), ONE, 1),
    "buckets made": (("ledger.make_buckets:after",), ONE, 1),
    "not inserted": (("ledger.insert:before",), ONE, 1),
    "inserted, uncommitted": (("ledger.insert:uncommitted",), ONE, 1),
    "one bucket raised, uncommitted": (("ledger.raise:uncommitted:1",), ONE, 1),
    "all buckets raised, uncommitted": (("ledger.raise:uncommitted:4",), ONE, 1),
    "reserved": (("ledger.insert:after",), HELD_IN_VAIN, 1),
    "sent": (("sent",), HELD_IN_VAIN, 2),
    "answered, not settled": (("ledger.close:before",), HELD_IN_VAIN, 2),
    "settled, not recorded": (("ledger.close:after",), SERVED, 1),
    "not yet served": (("ledger.close:after", "ledger.serve:before"), SERVED, 1),
    "served, not recorded": (("ledger.close:after", "ledger.serve:after"), [("settled", 2)], 1),
    "answered late, not kept": (("late:before",), HELD_IN_VAIN, 2),
    "answered late, kept": (("late:after",), [("unknown", 1)], 1),
}


def test_every_statement_of_the_ledger_that_commits_has_a_window() -> None:
    modules = [import_module(f"{ledger.__name__}.{each.name}") for each in MODULES]
    found = {
        value.name
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Statement) and COMMITS.search(value)
    }
    points = {point.split(":")[0] for faults, *_ in WINDOWS.values() for point in faults}
    here = points - {"sent", "late"} | {"ledger.keep_late"}
    assert here | ECONOMY == found


def die(town: Town, point: str, entry: str) -> None:
    """Have a worker die at a point of a step's call."""
    if point == "sent":
        town.kill_when_asked(entry)
    elif point.startswith("late:"):
        town.servers[entry].script = partial(sweep_first, USUAL[entry])
        town.kill_at(f"ledger.keep_{point}:1:{entry}")
    else:
        statement, moment, *times = point.split(":")
        town.kill_at(f"{statement}:{moment}:{times[0] if times else 1}:{entry}")


def sweep_first(usual: Script, exchange: Exchange) -> None:
    """Answer a call that was taken for dead meanwhile; the next is answered as usual."""
    Call.objects.filter(state="held").update(lease_until="2026-01-01T00:00Z")
    assert ledger.sweep() == 1
    connection.close()
    exchange.server.script = usual
    usual(exchange)


@pytest.mark.parametrize("window", WINDOWS)
def test_a_worker_that_is_killed_within_a_paid_call_pays_no_settled_answer_again(
    town: Town, window: str
) -> None:
    faults, calls, sent = WINDOWS[window]
    brief = town.order("b1")
    for entry in PAID_STEPS:
        for point in faults:
            die(town, point, entry)

    with town.workers():
        wait_until(lambda: is_in(brief, Status.COMPLETE))

    assert {entry: calls_of(entry) for entry in PAID_STEPS} == dict.fromkeys(PAID_STEPS, calls)
    assert town.requests() == dict.fromkeys(PAID_STEPS, sent)
    check_nothing_ran_again(brief, dict.fromkeys(PAID_STEPS, len(faults)))
    assert not Call.objects.filter(state="held").exists()
    town.audit()


def test_a_call_whose_worker_dies_three_times_waits_for_an_operator(town: Town) -> None:
    brief = town.order("b1")
    for _ in range(3):
        town.kill_when_asked("generate")

    with town.workers():
        wait_until(lambda: is_in(brief, Status.WAITING) and brief.reason == "operator")

    assert calls_of("generate") == [("unknown", 0)] * 3
    assert town.requests().total() == 3
    assert Instance.objects.get().owner is None
    town.audit()
