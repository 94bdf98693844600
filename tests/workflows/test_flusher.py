"""Group commit: many checkpoints in one statement, each judged and answered by itself."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest

from tests.workflows.conftest import Trial, enter, wait_until
from workflows import faults
from workflows.checkpoints import Checkpoints
from workflows.claims import Claim, claim_due
from workflows.connection import EngineConnection
from workflows.errors import EngineStoppedError, LostClaimError
from workflows.flusher import Flusher
from workflows.models import Instance, LogEntry, Status, StepRecord
from workflows.records import Record
from workflows.verbs import pause, terminate

COMPARED = (
    *("status", "position", "attempt", "failures", "crashes", "fence", "rank", "inbox"),
    *("reason", "due_at", "error", "policy", "deadline_at", "pause_requested"),
)


class Writing:
    """A flusher, and the threads that write through it."""

    def __init__(self) -> None:
        self.flusher = Flusher(EngineConnection("test flusher"))
        self.checkpoints = Checkpoints(EngineConnection("test checkpoints"), self.flusher)
        self.sent: list[str] = []
        self.told: dict[int, Any] = {}
        self.fault: faults.Fault = self.hold_first
        self._may_go = threading.Event()

    def together(
        self, claims: list[Claim], *, output: Callable[[int], Any] = str, last: tuple[int, ...] = ()
    ) -> None:
        """Let the first claim's write be under way until all the others wait; then go on."""
        threads = [
            threading.Thread(target=self._record, args=(number, claim, output(number), last))
            for number, claim in enumerate(claims)
        ]
        faults.arm(self.fault)
        try:
            threads[0].start()
            wait_until(lambda: self.sent)
            for number, thread in enumerate(threads[1:], 1):
                thread.start()
                wait_until(partial(self._are_waiting, number))
            self._may_go.set()
            for thread in threads:
                thread.join(30)
        finally:
            faults.arm(None)

    def _are_waiting(self, count: int) -> bool:
        return len(self.flusher._gathered) == count

    def _record(self, number: int, claim: Claim, output: Any, last: tuple[int, ...]) -> None:
        record = Record("trial_first", output, sensitive=number == 1)
        try:
            self.told[number] = self.checkpoints.record(claim, record, is_last=number in last)
        except Exception as error:  # noqa: BLE001 - a test looks at it
            self.told[number] = error

    def hold_first(self, point: str, moment: faults.Moment) -> None:
        if moment == "before":
            self.sent.append(point)
        if self.sent == ["checkpoints.advance"] and moment == "before":
            assert self._may_go.wait(30)


@pytest.fixture
def writing() -> Iterator[Writing]:
    made = Writing()
    yield made
    made.checkpoints.close()


@pytest.fixture
def claimed(trial: Trial) -> Callable[[int], list[Claim]]:
    """Claims of so many new instances, in the order of their rows."""

    def claim(count: int) -> list[Claim]:
        for _ in range(count):
            trial.create()
        engine = EngineConnection("test claimer")
        drain = enter(engine)
        claims = claim_due(engine, drain=drain, slots=count, with_suspect=False)
        engine.close()
        assert len(claims) == count
        return sorted(claims, key=lambda each: each.instance)

    return claim


def row_of(claim: Claim) -> dict[str, Any]:
    instance = Instance.objects.get(pk=claim.instance)
    times = {
        name: getattr(instance, name) is not None for name in ("wake_at", "finished_at", "owner")
    }
    has_begun_anew = instance.attempt_started_at != claim.attempt_started_at
    columns = {name: getattr(instance, name) for name in COMPARED}
    return columns | times | {"has_begun_anew": has_begun_anew}


def history_of(claim: Claim) -> list[Any]:
    records = StepRecord.objects.filter(instance=claim.instance)
    kept = records.values_list("generation", "position", "entry", "attempt", "output", "drain")
    logged = LogEntry.objects.filter(instance=claim.instance, kind="complete")
    return [
        [(*row[:-1], row[-1] == claim.drain) for row in kept],
        [row.started_at == claim.attempt_started_at for row in records],
        list(logged.values_list("generation", "actor", "why")),
    ]


def test_what_gathers_while_a_commit_is_under_way_is_written_in_one_statement(
    writing: Writing, claimed: Callable[[int], list[Claim]]
) -> None:
    claims = claimed(5)

    writing.together(claims)

    assert writing.sent == ["checkpoints.advance", "records.record_many"]
    assert [writing.told[n].goes_on for n in range(5)] == [True] * 5
    outputs = StepRecord.objects.order_by("instance").values_list("output", "sensitive")
    assert list(outputs) == [(str(n), n == 1) for n in range(5)]


def test_a_lone_checkpoint_waits_for_no_company(
    writing: Writing, claimed: Callable[[int], list[Claim]]
) -> None:
    (claim,) = claimed(1)

    moved = writing.checkpoints.record(claim, Record("trial_first", {}), is_last=False)

    assert moved.goes_on
    assert "flusher" not in {thread.name for thread in threading.enumerate()}


def test_a_batch_leaves_what_its_items_would_have_left_alone(
    writing: Writing, claimed: Callable[[int], list[Claim]]
) -> None:
    """Of four kinds, twice each: going on, pause asked for, the last, the last with a pause."""
    claims = claimed(9)
    for number in (3, 4, 7, 8):
        pause(claims[number].instance_id, actor="ann")
    last = (5, 6, 7, 8)

    together = (0, 2, 4, 6, 8)
    writing.together([claims[n] for n in together], output=lambda _: {"a": 1}, last=(3, 4))
    for number in (1, 3, 5, 7):
        record = Record("trial_first", {"a": 1})
        writing.checkpoints.record(claims[number], record, is_last=number in last)

    for alone, in_company in ((1, 2), (3, 4), (5, 6), (7, 8)):
        assert row_of(claims[in_company]) == row_of(claims[alone])
        assert history_of(claims[in_company]) == history_of(claims[alone])
    assert [writing.told[n].goes_on for n in range(5)] == [True, True, False, False, False]


def test_a_bad_item_fails_its_own_caller_and_nobody_else(
    writing: Writing, claimed: Callable[[int], list[Claim]]
) -> None:
    claims = claimed(4)

    writing.together(claims, output=lambda number: "\x00" if number == 2 else number)

    assert isinstance(writing.told[2], psycopg.DataError)
    assert [writing.told[n].goes_on for n in (0, 1, 3)] == [True] * 3
    recorded = StepRecord.objects.order_by("instance").values_list("instance", flat=True)
    assert list(recorded) == [claims[n].instance for n in (0, 1, 3)]
    assert row_of(claims[2])["position"] == 0


def test_a_lost_claim_is_told_to_its_own_caller_and_nobody_else(
    writing: Writing, claimed: Callable[[int], list[Claim]]
) -> None:
    claims = claimed(4)
    terminate(claims[1].instance_id, actor="ann")

    writing.together(claims)

    assert isinstance(writing.told[1], LostClaimError)
    assert [writing.told[n].goes_on for n in (0, 2, 3)] == [True] * 3
    assert writing.sent == ["checkpoints.advance", "records.record_many"]
    assert not StepRecord.objects.filter(instance=claims[1].instance).exists()
    assert row_of(claims[1])["status"] == Status.TERMINATED


def test_two_items_of_one_instance_never_share_a_batch(
    writing: Writing, claimed: Callable[[int], list[Claim]]
) -> None:
    first, twice, other = claimed(3)

    writing.together([first, twice, twice, other])

    told = [type(writing.told[n]).__name__ for n in range(4)]
    assert told == ["Moved", "Moved", "LostClaimError", "Moved"]
    assert StepRecord.objects.filter(instance=twice.instance).count() == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_batch_whose_answer_is_lost_is_read_back_and_written_once(
    writing: Writing, claimed: Callable[[int], list[Claim]], moment: str
) -> None:
    claims = claimed(4)

    def lose(point: str, at: faults.Moment) -> None:
        writing.hold_first(point, at)
        if (point, at) == ("records.record_many", moment):
            raise psycopg.OperationalError("the answer is lost, as a test has ordered")

    writing.fault = lose
    writing.together(claims)

    assert [writing.told[n].goes_on for n in range(4)] == [True] * 4
    assert [row_of(claim)["position"] for claim in claims] == [1] * 4
    assert [StepRecord.objects.filter(instance=c.instance).count() for c in claims] == [1] * 4
    written_again = writing.sent.count("checkpoints.advance") - 1
    assert written_again == (3 if moment == "before" else 0)


def test_who_waits_when_the_flusher_is_closed_is_told_so_and_nothing_is_written(
    writing: Writing, claimed: Callable[[int], list[Claim]]
) -> None:
    claims = claimed(3)
    closing = threading.Thread(target=writing.flusher.close)

    def close_meanwhile(point: str, at: faults.Moment) -> None:
        writing.hold_first(point, at)
        if (point, at) == ("checkpoints.advance", "before"):
            closing.start()
            wait_until(lambda: len(writing.told) == 2)

    writing.fault = close_meanwhile
    writing.together(claims)
    closing.join(30)

    assert isinstance(writing.told[1], EngineStoppedError)
    assert isinstance(writing.told[2], EngineStoppedError)
    assert writing.told[0].goes_on
    assert [row_of(claim)["position"] for claim in claims] == [1, 0, 0]
    with pytest.raises(EngineStoppedError):
        writing.checkpoints.record(claims[1], Record("trial_first", {}), is_last=False)
