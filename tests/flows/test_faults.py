"""A worker is killed at every statement that commits, at every kind of entry; nothing is lost.

The points are derived from `workflows.statements`: whoever adds a statement adds its case here.
Workers are forked by a nursery, as django-q2 forks them; what is killed is a real process, and
another one stays alive.
"""

import os
import pkgutil
import re
import signal
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.flows.nursery import Child, Nursery, nursery
from tests.flows.processes import environment
from tests.flows.touring import (
    BATCH,
    ORPHAN,
    SUSPECT,
    Tours,
    bring_forward,
    bury_the_dead,
    check_everything,
    kill_one,
    terminate_running,
)
from tests.tour.acts import ACTS
from tests.tour.stages import TOURS
from tests.workflows.conftest import wait_until
from workflows import statements
from workflows.models import Drain, Instance
from workflows.statements import Statement

COMMITS = re.compile(r"\b(insert\s+into|update\s+\w+|delete\s+from)\b", re.IGNORECASE)
BEFORE_AFTER = ("before", "after")
ALL_MOMENTS = ("before", "uncommitted", "after")

# Statement to the entries at which a worker is killed there, each a kind of its own.
CHECKPOINTS: dict[str, tuple[str, ...]] = {
    "entries": ("plain", "failing", "parking", "transactional", "last_transactional"),
    "checkpoints.advance": (
        *("plain", "nap", "day", "knock", "failing", "parking", "transactional"),
    ),
    "checkpoints.advance_with_event": ("review",),
    "checkpoints.complete": ("last", "last_transactional"),
    "checkpoints.complete_with_event": ("farewell",),
    "checkpoints.retry_later": ("failing",),
    "checkpoints.park": ("parking",),
    "checkpoints.sleep": ("nap", "day"),
    "checkpoints.await": ("review", "knock", "farewell"),
    "checkpoints.give_up": ("refusing",),
}
GROUPED = ("records.record_many",)
CLAIMS = ("claims.claim", "claims.claim_suspect", "claims.give_back", "claims.take_over")
DRAINS = (
    *("drains.enter", "drains.wake_for_code", "drains.beat", "drains.count_up", "drains.end"),
)
RARE = (
    *("checkpoints.release", "checkpoints.relinquish", "checkpoints.disown"),
    "checkpoints.leave_to_newer",
)


@pytest.fixture(scope="module")
def breeder(django_db_setup: None) -> Iterator[Nursery]:
    with nursery(environment(WORKFLOWS_LEASE_SECONDS="3")) as running:
        yield running


@pytest.fixture
def survivor(breeder: Nursery, transactional_db: None) -> Iterator[Child]:
    """The worker that stays alive."""
    child = breeder.drain(threads=2)
    wait_until(lambda: Drain.objects.filter(pid=child.pid).exists())
    yield child
    assert child.stop() == 0


@pytest.fixture
def tours(tmp_path: Path) -> Tours:
    return Tours(tmp_path / "marks")


def constants() -> Iterator[tuple[str, str]]:
    """Yield the module-level texts of `workflows.statements`, by their full name."""
    for module in pkgutil.iter_modules(statements.__path__):
        content = vars(import_module(f"workflows.statements.{module.name}"))
        for name, value in content.items():
            if isinstance(value, str) and not name.startswith("_") and COMMITS.search(value):
                yield f"{module.name}.{name.lower()}", value


def test_every_text_that_commits_is_a_statement_with_the_name_of_its_place() -> None:
    found = dict(constants())

    assert len(found) > 30
    for place, text in found.items():
        assert isinstance(text, Statement), place
        assert text.name == place


def test_every_statement_that_commits_has_a_case() -> None:
    cases = {*CHECKPOINTS, *GROUPED, *CLAIMS, *DRAINS, *RARE, *ACTS} - {"entries"}

    assert {place for place, _ in constants()} == cases


def tour_with(entry: str) -> str:
    return entry if entry in TOURS else "last"


def faults_at(point: str, entry: str) -> list[str]:
    """Return the faults of a point at an entry, one for each moment that it has."""
    if point == "entries":
        return [f"entries.{entry}:{moment}" for moment in BEFORE_AFTER]
    moments = ALL_MOMENTS if "transactional" in entry else BEFORE_AFTER
    return [f"{point}:{moment}:1:{entry}" for moment in moments]


@pytest.mark.parametrize("point", CHECKPOINTS)
def test_a_worker_that_is_killed_at_a_checkpoint_loses_and_repeats_nothing(
    breeder: Nursery, survivor: Child, tours: Tours, point: str
) -> None:
    for entry in CHECKPOINTS[point]:
        for fault in faults_at(point, entry):
            kill_one(breeder, tours, fault, tour=tour_with(entry))
            wait_until(tours.have_ended)

    check_everything(tours)
    assert survivor.code() is None


@pytest.mark.parametrize("tour", ["last", "last_transactional", "refusing"])
def test_a_worker_that_is_killed_at_a_group_commit_loses_and_repeats_nothing(
    breeder: Nursery, survivor: Child, tours: Tours, tour: str
) -> None:
    for times in (1, 2, 4):
        for moment in BEFORE_AFTER:
            fault = f"records.record_many:{moment}:{times}"
            kill_one(breeder, tours, fault, tour=tour, threads=8, group_commit=True)
            wait_until(tours.have_ended)

    check_everything(tours)
    assert survivor.code() is None


@pytest.mark.parametrize(("point", "columns"), [("claim", {}), ("claim_suspect", SUSPECT)])
def test_a_worker_that_is_killed_at_its_claim_strands_nothing(
    breeder: Nursery, survivor: Child, tours: Tours, point: str, columns: dict[str, Any]
) -> None:
    for moment in ALL_MOMENTS:
        fault = f"claims.{point}:{moment}"
        kill_one(breeder, tours, fault, tour="farewell", columns=columns)
        wait_until(tours.have_ended)

    check_everything(tours)


def test_a_worker_that_is_killed_while_it_gives_back_a_lost_claim_strands_nothing(
    breeder: Nursery, survivor: Child, tours: Tours
) -> None:
    lost = "claims.claim:after:1::lose"
    for moment in BEFORE_AFTER:
        kill_one(breeder, tours, f"{lost};claims.give_back:{moment}", tour="last", threads=8)
        wait_until(tours.have_ended)

    check_everything(tours)


def test_a_worker_that_is_killed_while_it_takes_over_strands_nothing(
    breeder: Nursery, survivor: Child, tours: Tours
) -> None:
    for moment, left in zip(BEFORE_AFTER, (BATCH, 0), strict=True):
        os.kill(survivor.pid, signal.SIGSTOP)  # so that the orphans are the victim's
        tours.begin("last", **ORPHAN)
        kill_one(breeder, tours, f"claims.take_over:{moment}", tour="last")
        orphans = Instance.objects.filter(owner=-1).count()
        os.kill(survivor.pid, signal.SIGCONT)
        assert orphans == left
        wait_until(tours.have_ended)

    check_everything(tours)


def test_a_worker_that_is_killed_at_its_own_row_strands_nothing(
    breeder: Nursery, survivor: Child, tours: Tours
) -> None:
    for point in ("enter", "wake_for_code", "beat"):
        for moment in BEFORE_AFTER:
            kill_one(breeder, tours, f"drains.{point}:{moment}", tour="last")
            wait_until(tours.have_ended)

    check_everything(tours)


def run_until_dead(tours: Tours, victim: Child, *, tour: str, push: Any) -> None:
    """Begin tours, and push the victim, until it has died of its fault."""

    def has_died() -> bool:
        if not Instance.objects.filter(status__lt=4).exists():
            tours.begin(tour)
        push()
        return victim.code() is not None

    wait_until(has_died)
    assert victim.code() == -9
    bury_the_dead()


def lapse(victim: Child) -> None:
    """Let the victim's lease be over, as if it had been frozen."""
    Drain.objects.filter(pid=victim.pid).update(lease_until="2000-01-01T00:00Z")


def ask_to_stop(victim: Child) -> None:
    """Stop the victim while it drives something."""
    drains = Drain.objects.filter(pid=victim.pid).values_list("pk", flat=True)
    if Instance.objects.filter(owner__in=drains).exists() and victim.code() is None:
        os.kill(victim.pid, signal.SIGTERM)


@pytest.mark.parametrize(
    ("point", "push"),
    [
        ("drains.count_up", lapse),
        ("drains.end", ask_to_stop),
        ("checkpoints.release", ask_to_stop),
        ("checkpoints.relinquish", lambda victim: terminate_running(victim.pid)),
    ],
)
def test_a_worker_that_is_killed_while_it_is_disturbed_strands_nothing(
    breeder: Nursery, survivor: Child, tours: Tours, point: str, push: Any
) -> None:
    for moment in BEFORE_AFTER:
        victim = breeder.drain(f"{point}:{moment}")
        run_until_dead(tours, victim, tour="slow", push=partial(push, victim))
        wait_until(tours.have_ended)

    check_everything(tours)


def test_a_worker_that_is_killed_while_it_gives_up_on_a_bug_of_its_own_strands_nothing(
    breeder: Nursery, survivor: Child, tours: Tours
) -> None:
    bug = "checkpoints.sleep:before:1::break"
    for moment in BEFORE_AFTER:
        kill_one(breeder, tours, f"{bug};checkpoints.disown:{moment}", tour="last")
        bring_forward()
        wait_until(tours.have_ended)

    check_everything(tours)


def test_a_worker_of_older_code_that_is_killed_leaves_all_to_the_newer_one(
    breeder: Nursery, survivor: Child, tours: Tours
) -> None:
    for moment in BEFORE_AFTER:
        fault = f"checkpoints.leave_to_newer:{moment}"
        kill_one(breeder, tours, fault, tour="last", without="tour_transactional")
        bring_forward()
        wait_until(tours.have_ended)

    check_everything(tours)
