"""A connection is cut before, during and after a commit: what was committed is found, not repeated.

After the commit means: it came through, and its answer did not.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection

from tests.trial.stages import ENTRIES
from tests.workflows.conftest import Trial, is_in, standing_drain, trial, wait_until
from workflows import faults
from workflows.models import Instance, Status
from workflows.statements.claims import CLAIM_LOCK

__all__ = ["trial"]

CHECKPOINTS, CLAIMER = "presswork checkpoints", "presswork claimer"
FLUSHER = "presswork flusher"
INSTANCES = 6
ROWS = "select 1 from workflows_instance for update"
LIMITS = f"select pg_advisory_lock({CLAIM_LOCK})"
COMMIT_LOCK = 4711


@contextmanager
def own_session() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A session of the test's own, which commits each statement at once."""
    parameters = connection.get_connection_params()
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool"):
        parameters.pop(ours, None)
    with psycopg.connect(**parameters, autocommit=True) as session:
        yield session


def cut(condition: str) -> int:
    """End the sessions for which the condition holds; return how many."""
    with own_session() as session:
        ended = session.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity "  # noqa: S608
            f"where datname = current_database() and pid <> pg_backend_pid() and {condition}"
        )
        return len(ended.fetchall())


def cut_engine(name: str) -> None:
    assert cut(f"application_name = '{name}'") == 1


def cut_this_thread() -> None:
    raw = connection.connection
    assert raw is not None
    assert cut(f"pid = {raw.info.backend_pid}") == 1


def cut_while_it_waits(name: str, lock: str) -> None:
    """Hold a lock until the engine's next statement waits for it, and end that session then."""
    is_held = threading.Event()

    def hold_and_cut() -> None:
        with own_session() as session, session.transaction(force_rollback=True):
            session.execute(lock)
            is_held.set()
            waits = f"application_name = '{name}' and wait_event_type = 'Lock'"
            wait_until(lambda: cut(waits) == 1)

    threading.Thread(target=hold_and_cut).start()
    is_held.wait(30)


def lose_answer(name: str) -> None:
    cut_engine(name)
    raise psycopg.OperationalError("the server closed the connection unexpectedly")


def lose_answer_of_this_thread() -> None:
    cut_this_thread()
    raise OperationalError("the server closed the connection unexpectedly")


class Once:
    """A fault that happens at the third time that its point is reached."""

    def __init__(self, point: str, moment: str, act: Callable[[], None]) -> None:
        self._place = (point, moment)
        self._act = act
        self._lock = threading.Lock()
        self._reached = 0

    def __call__(self, point: str, moment: str) -> None:
        if (point, moment) == self._place:
            with self._lock:
                self._reached += 1
                is_its_turn = self._reached == 3
            if is_its_turn:
                self._act()

    @property
    def has_happened(self) -> bool:
        return self._reached >= 3


def run_with(trial: Trial, fault: Once) -> None:
    """Run instances to their end while the fault happens."""
    faults.arm(fault)
    try:
        with standing_drain():
            for number in range(INSTANCES):
                trial.create(key=f"k{number}", seconds=0.05)
                wait_until(partial(has_begun, trial, number + 1))
            wait_until(all_complete)
    finally:
        faults.arm(None)
    assert fault.has_happened


def has_begun(trial: Trial, count: int) -> bool:
    return sum(line.split()[1] == "first" for line in trial.marks()) >= count


def all_complete() -> bool:
    return not Instance.objects.exclude(status=Status.COMPLETE).exists()


def check_once(trial: Trial, *, again: int = 0) -> None:
    """Assert one record an entry, one effect an instance, and how many calls were repeated."""
    for instance in Instance.objects.all():
        entries = list(instance.records.order_by("position").values_list("entry", flat=True))
        assert entries == [entry["step"] for entry in ENTRIES]
        assert (instance.owner, instance.due_at, instance.crashes) == (None, None, 0)
    assert Group.objects.count() == INSTANCES
    calls = Counter(trial.marks())
    assert sum(calls.values()) - len(calls) == again


@pytest.mark.parametrize("session", [CHECKPOINTS, FLUSHER])
@pytest.mark.parametrize(
    ("moment", "act"),
    [
        ("before", cut_engine),
        ("before", partial(cut_while_it_waits, lock=ROWS)),
        ("after", lose_answer),
    ],
    ids=["before", "during", "after"],
)
def test_a_checkpoint_whose_connection_is_cut_is_written_once(
    trial: Trial, settings: Any, session: str, moment: str, act: Callable[[str], None]
) -> None:
    settings.WORKFLOWS_GROUP_COMMIT = session == FLUSHER

    run_with(trial, Once("checkpoints.advance", moment, partial(act, session)))

    check_once(trial)


@pytest.mark.parametrize(
    ("point", "moment", "act"),
    [
        ("claims.claim", "before", partial(cut_engine, CLAIMER)),
        ("claims.lock_claims", "before", partial(cut_while_it_waits, CLAIMER, LIMITS)),
        ("claims.claim", "uncommitted", partial(cut_engine, CLAIMER)),
        ("claims.claim", "after", partial(lose_answer, CLAIMER)),
    ],
    ids=["before", "while it waits", "uncommitted", "after"],
)
def test_a_claim_whose_connection_is_cut_strands_nothing_and_runs_nothing_twice(
    trial: Trial, point: str, moment: str, act: Callable[[], None]
) -> None:
    run_with(trial, Once(point, moment, act))

    check_once(trial)


@pytest.mark.parametrize(
    ("moment", "act", "again"),
    [
        ("before", cut_this_thread, 1),
        ("uncommitted", cut_this_thread, 1),
        ("after", lose_answer_of_this_thread, 0),
    ],
)
def test_a_transactional_step_whose_connection_is_cut_has_its_effect_once(
    trial: Trial, moment: str, act: Callable[[], None], again: int
) -> None:
    run_with(trial, Once("checkpoints.complete", moment, act))

    check_once(trial, again=again)


@contextmanager
def commits_that_wait() -> Iterator[None]:
    """Let each transaction that adds a group wait for a lock while it commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "create function wait_in_commit() returns trigger language plpgsql as $$ begin "
            f"perform pg_advisory_xact_lock_shared({COMMIT_LOCK}); return null; end $$"
        )
        cursor.execute(
            "create constraint trigger wait_in_commit after insert on auth_group "
            "deferrable initially deferred for each row execute function wait_in_commit()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("drop trigger wait_in_commit on auth_group")
            cursor.execute("drop function wait_in_commit")


def test_a_transactional_step_that_is_cut_inside_its_commit_has_its_effect_once(
    trial: Trial,
) -> None:
    with commits_that_wait(), own_session() as session, standing_drain():
        session.execute(f"select pg_advisory_lock({COMMIT_LOCK})")
        instance = trial.create(key="x")
        wait_until(lambda: cut("query = 'COMMIT' and wait_event_type = 'Lock'") == 1)
        session.execute(f"select pg_advisory_unlock({COMMIT_LOCK})")
        wait_until(lambda: is_in(instance, Status.COMPLETE))

    assert trial.marks() == ["x first 1", "x second 1", "x third 1", "x third 1"]
    assert Group.objects.get().name == "x 1 2"
    assert list(instance.attempts.values_list("outcome", flat=True)) == ["failed"]
