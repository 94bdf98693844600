"""The kit for authors of steps: what it forces really happens, and it finds unsafe steps."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from tests.trial.stages import ENTRIES
from workflows.dispatch import create_instance
from workflows.errors import ContractError, NonRetryableError, RetryableError
from workflows.graphs import store_graph
from workflows.models import Drain, Instance, Status
from workflows.testing import Crash, Forced, GraphRun, Sent, Timeout, run_graph

SLEEP: dict[str, Any] = {"sleep": 3600, "name": "nap"}
WAIT: dict[str, Any] = {"wait": "approval", "name": "review"}


@pytest.fixture
def marks(tmp_path: Path, transactional_db: None) -> Path:
    return tmp_path / "marks"


def run(
    marks: Path, *more: dict[str, Any], envelope: dict[str, Any] | None = None, **arguments: Any
) -> GraphRun:
    """Run the trial graph with more entries after its first."""
    return run_graph(
        [ENTRIES[0], *more, *ENTRIES[1:]],
        workflow="trial",
        envelope={"marks": str(marks)} | (envelope or {}),
        **arguments,
    )


def done(marks: Path) -> list[str]:
    """Return the steps that were called, in order."""
    return [line.split()[1] for line in marks.read_text().splitlines()]


def test_a_graph_is_run_to_its_end_and_told_of(marks: Path) -> None:
    ran = run(marks)

    assert ran.status == Status.COMPLETE
    assert list(ran.records) == ["trial_first", "trial_second", "trial_third"]
    assert ran.records["trial_third"] == {"said": ran.instance.key}
    assert (ran.tries, ran.error, ran.log) == ([], None, ["created", "complete"])
    assert done(marks) == ["first", "second", "third"]


def test_sleeps_moments_and_delays_are_passed_over(marks: Path) -> None:
    at = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    order = {"at": at, "fail_times": 2, "delay": 3600}
    ran = run(marks, SLEEP, {"until": "/at", "name": "day"}, envelope=order)

    assert ran.status == Status.COMPLETE
    assert ran.records["nap"] == {"slept_seconds": 3600}
    assert datetime.fromisoformat(ran.records["day"]["until"]) == datetime.fromisoformat(at)
    assert ran.tries == [("trial_second", "failed")] * 2
    assert ran.log == ["created", "waiting", "waiting", "complete"]


def test_without_skipping_the_first_sleep_ends_the_run(marks: Path) -> None:
    ran = run(marks, SLEEP, skip_sleeps=False)

    assert (ran.status, ran.reason) == (Status.WAITING, "sleep")
    assert done(marks) == ["first"]


def test_an_event_is_given_to_the_wait_for_its_type(marks: Path) -> None:
    other = {"wait": "review.done", "name": "second_review"}
    events = [Sent("review.done", {"by": "bob"}), Sent("approval", {"by": "ann"})]
    ran = run(marks, WAIT, other, events=events)

    assert ran.status == Status.COMPLETE
    assert ran.records["review"]["event"]["payload"] == {"by": "ann"}
    assert ran.records["second_review"]["event"]["payload"] == {"by": "bob"}


@pytest.mark.parametrize(("on_timeout", "status"), [("continue", "complete"), ("error", "errored")])
def test_a_wait_without_its_event_times_out(marks: Path, on_timeout: str, status: str) -> None:
    ran = run(marks, WAIT | {"on_timeout": on_timeout})

    assert ran.status.label == status


def test_a_forced_error_stands_in_for_the_step(marks: Path) -> None:
    ran = run(marks, forced={"trial_second": [RetryableError("busy"), ValueError("a bug")]})

    assert ran.status == Status.COMPLETE
    assert ran.tries == [("trial_second", "failed")] * 2
    assert done(marks) == ["first", "second", "third"]


def test_a_forced_error_for_good_ends_the_run_with_its_words(marks: Path) -> None:
    ran = run(marks, forced={"trial_second": [NonRetryableError("refused", data={"n": 1})]})

    assert ran.status == Status.ERRORED
    assert ran.error == {"type": "NonRetryableError", "message": "refused", "data": {"n": 1}}
    assert ran.log == ["created", "errored"]


@pytest.mark.parametrize("entry", ["trial_first", "trial_third"])
def test_a_forced_timeout_refuses_what_the_step_writes_too_late(marks: Path, entry: str) -> None:
    ran = run(marks, forced={entry: [Timeout()]})

    assert ran.status == Status.COMPLETE
    assert ran.tries == [(entry, "timed out")]
    assert ran.instance.records.get(entry=entry).attempt == 2
    assert done(marks).count(entry.removeprefix("trial_")) == 2
    assert groups() == [f"{ran.instance.key} 1 {1 + (entry == 'trial_third')}"]


@pytest.mark.parametrize(
    ("crash", "calls"),
    [
        (Crash(moment="before"), 1),
        (Crash(), 2),
        (Crash("checkpoints.advance", "before"), 2),
        (Crash("checkpoints.advance", "after"), 1),
        (Crash("claims.claim", "uncommitted"), 1),
        (Crash("drains.enter", "after"), 1),
    ],
)
def test_a_crash_is_taken_over_and_no_recorded_step_runs_again(
    marks: Path, crash: Crash, calls: int
) -> None:
    ran = run(marks, forced={"trial_first": [crash]})

    assert ran.status == Status.COMPLETE
    assert done(marks) == ["first"] * calls + ["second", "third"]
    assert not Drain.objects.filter(ended_at=None).exists()


@pytest.mark.parametrize("moment", ["before", "uncommitted", "after"])
def test_the_effect_of_a_transactional_step_survives_a_crash_once(marks: Path, moment: Any) -> None:
    ran = run(marks, forced={"trial_third": [Crash("checkpoints.complete", moment)]})

    assert ran.status == Status.COMPLETE
    assert len(groups()) == 1
    assert ran.tries == ([] if moment == "after" else [("trial_third", "lost")])


def test_a_crash_at_a_wait_loses_no_event(marks: Path) -> None:
    crashes: dict[str, list[Forced]] = {
        "review": [
            Crash("checkpoints.await", "before"),
            Crash("checkpoints.await", "after"),
            Crash("checkpoints.advance_with_event", "before"),
        ]
    }
    ran = run(marks, WAIT, events=[Sent("approval", 7)], forced=crashes)

    assert ran.status == Status.COMPLETE
    assert ran.records["review"]["event"]["payload"] == 7
    assert done(marks) == ["first", "second", "third"]


def test_a_step_that_kills_every_worker_ends_errored(marks: Path) -> None:
    ran = run(marks, forced={"trial_second": [Crash(moment="before")] * 5})

    assert ran.status == Status.ERRORED
    assert ran.error["type"] == "WorkerDied"
    assert ran.tries == [("trial_second", "lost")] * 5


def test_what_else_is_due_is_not_driven_and_left_due(marks: Path) -> None:
    other = create_instance(
        workflow="trial",
        key="other",
        partition="p",
        graph=store_graph(ENTRIES, workflow="trial").pk,
        envelope={"marks": str(marks)},
        trigger="command",
    )

    run(marks)

    instance = Instance.objects.get(pk=other)
    assert (instance.status, instance.owner, instance.crashes) == (Status.WAITING, None, 0)
    assert instance.due_at is not None
    assert done(marks) == ["first", "second", "third"]


def test_what_never_has_its_turn_fails_the_test(marks: Path) -> None:
    with pytest.raises(AssertionError, match=r"never had their turn: .*trial_first.*Crash"):
        run(marks, forced={"trial_first": [Crash("checkpoints.park")]})
    with pytest.raises(AssertionError, match=r"never had their turn: .*approval"):
        run(marks, events=[Sent("approval")])


def test_what_cannot_be_forced_is_refused_and_nothing_is_created(marks: Path) -> None:
    with pytest.raises(ValueError, match="review is no step: nothing but a Crash"):
        run(marks, WAIT, forced={"review": [Timeout()]})
    with pytest.raises(ContractError, match="no entry has this name"):
        run(marks, forced={"nowhere": [Timeout()]})
    assert not Instance.objects.exists()


@pytest.mark.django_db
def test_a_test_inside_a_transaction_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"django_db\(transaction=True\)"):
        run(tmp_path)


def groups() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("select name from auth_group order by name")
        return [name for (name,) in cursor.fetchall()]
