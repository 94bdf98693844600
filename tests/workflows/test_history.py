"""The log's cursor skips nothing, usage counts exactly, and one instance is told whole."""

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from tests.workflows.conftest import Trial, run_to_end
from workflows import verbs
from workflows.errors import FilterError, UnknownInstanceError
from workflows.events import send_event
from workflows.history import BEGINNING, HIDDEN, Cursor, describe, read_log, read_newest_log
from workflows.models import Instance
from workflows.usage import StepUsage, usage

WRITE = """
insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why, at)
values (pg_current_xact_id()::text::bigint, %s, 1, 'note', '', %s, clock_timestamp())
"""


class Writer:
    """A connection of its own that holds a transaction open in which it has written a line."""

    def __init__(self, instance: Instance, line: str) -> None:
        self._connection = connection.copy()
        self._connection.set_autocommit(False)
        with self._connection.cursor() as cursor:
            cursor.execute(WRITE, [instance.pk, line])

    def commit(self) -> None:
        self._connection.commit()

    def roll_back(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()


Open = Callable[[str], Writer]


@pytest.fixture
def opened(trial: Trial) -> Iterator[Open]:
    """Opens writers; none is left to stand in the way of the next test."""
    instance, writers = trial.create(), list[Writer]()

    def open_one(line: str) -> Writer:
        writers.append(Writer(instance, line))
        return writers[-1]

    yield open_one
    for writer in writers:
        writer.close()


class Reader:
    """Reads on and on from where it was, and keeps what it was given."""

    def __init__(self, *, limit: int = 100) -> None:
        self.lines: list[str] = []
        self._limit = limit
        self._after: Cursor = read_newest_log().next

    def read(self) -> list[str]:
        page = read_log(self._after, self._limit, kinds=["note"])
        # The cursor goes through its text, as with whoever keeps it between two runs.
        self._after = Cursor.parse(str(page.next))
        given = [line.why for line in page.entries]
        self.lines += given
        return given


@contextmanager
def writing(instance: Instance) -> Iterator[list[str]]:
    """Eight threads that write lines in transactions of random length; yields what they wrote."""
    written: list[str] = []
    threads = [threading.Thread(target=_write, args=(instance, n, written)) for n in range(8)]
    for thread in threads:
        thread.start()
    yield written
    for thread in threads:
        thread.join()


def _write(instance: Instance, number: int, written: list[str]) -> None:
    chance = random.Random(number)
    for turn in range(15):
        lines = [f"{number}-{turn}-{line}" for line in range(chance.randint(1, 3))]
        with transaction.atomic(), connection.cursor() as cursor:
            for line in lines:
                cursor.execute(WRITE, [instance.pk, line])
                cursor.execute("select pg_sleep(%s)", [chance.random() / 200])
        written += lines
    connections.close_all()


def test_a_reader_does_not_pass_an_open_transaction_and_gets_both_lines_afterwards(
    opened: Open,
) -> None:
    reader = Reader()
    slow, fast = opened("slow"), opened("fast")

    fast.commit()
    assert reader.read() == []
    assert reader.read() == []
    slow.commit()

    assert reader.read() == ["slow", "fast"]
    assert reader.read() == []


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_whatever_order_writers_commit_each_line_is_read_once_and_in_theirs(
    opened: Open, order: tuple[int, ...]
) -> None:
    reader = Reader(limit=1)
    writers = [opened(str(number)) for number in range(3)]

    for number in order:
        writers[number].commit()
        reader.read()
    for _ in writers:
        reader.read()

    assert reader.lines == ["0", "1", "2"]


def test_a_transaction_that_is_rolled_back_holds_nobody_back(opened: Open) -> None:
    reader = Reader()
    gone, kept = opened("gone"), opened("kept")

    kept.commit()
    gone.roll_back()

    assert reader.read() == ["kept"]


def test_a_reader_beside_eight_writers_gets_every_line_once(trial: Trial) -> None:
    instance, reader = trial.create(), Reader(limit=7)

    with writing(instance) as written:
        while len(written) < 60:
            reader.read()
    while reader.read():
        pass

    assert len(written) > 120
    assert sorted(reader.lines) == sorted(written)


def test_a_page_says_whether_there_is_more_and_a_filter_does_not_hold_the_cursor_back(
    trial: Trial,
) -> None:
    one, other = trial.create(key="one"), trial.create(key="other")
    verbs.pause(str(one.instance_id), actor="ann", why="lunch")
    verbs.pause(str(other.instance_id), actor="ann")

    first = read_log(BEGINNING, 1, ["pause"])
    second = read_log(first.next, 1, ["pause"])
    none = read_log(BEGINNING, 10, ["errored"])

    assert [(line.instance.key, line.why) for line in first.entries] == [("one", "lunch")]
    assert (first.has_more, second.has_more, none.has_more) == (True, False, False)
    assert [line.instance.key for line in second.entries] == ["other"]
    assert none.entries == []
    assert none.next > first.next
    of_one = read_log(instance_id=str(one.instance_id))
    assert [line.kind for line in of_one.entries] == ["created", "pause"]


def test_the_newest_lines_are_followed_by_what_comes_later(trial: Trial) -> None:
    instance = trial.create()
    verbs.pause(str(instance.instance_id), actor="ann")
    verbs.resume(str(instance.instance_id), actor="ann")

    page = read_newest_log(2)
    verbs.terminate(str(instance.instance_id), actor="ann")

    assert [line.kind for line in page.entries] == ["pause", "resume"]
    assert [line.kind for line in read_log(page.next).entries] == ["terminate"]


@pytest.mark.parametrize("text", ["", "x.y", "1", "1.2.3", "-1.2", "1.99999999999999999999", "٣.٤"])
def test_what_is_no_cursor_is_named(text: str) -> None:
    with pytest.raises(FilterError, match="is no cursor"):
        Cursor.parse(text)


@pytest.mark.django_db
def test_the_log_and_the_whole_of_an_unknown_instance_are_refused() -> None:
    with pytest.raises(UnknownInstanceError, match="trial-nobody"):
        read_log(instance_id="trial-nobody")
    with pytest.raises(UnknownInstanceError, match="trial-nobody"):
        describe("trial-nobody")


def test_usage_counts_every_attempt_by_step_and_how_it_ended(trial: Trial) -> None:
    since = timezone.now()
    instances = [
        trial.create(key="good"),
        trial.create(key="flaky", fail_times=2),
        trial.create(key="refused", refuse=True),
        trial.create(key="parked", park=True),
    ]
    run_to_end(*instances)
    verbs.replace_output("trial-refused", "trial_first", {"said": "y"}, actor="ann")
    until = timezone.now()

    first, second, third = usage(since, until)

    assert (first.workflow, first.entry, first.step) == ("trial", "trial_first", "trial_first")
    assert (first.records, second.records, third.records) == (4, 2, 2)
    none = {"timed out": 0, "lost": 0, "interrupted": 0}
    assert second.outcomes == none | {"failed": 3, "parked": 1}
    assert first.outcomes == third.outcomes == none | {"failed": 0, "parked": 0}
    assert second.last_error in ("RetryableError", "NonRetryableError")
    assert first.last_error is None
    assert first.mean_seconds == pytest.approx(first.seconds / 4)
    assert usage(since - timedelta(days=1), since) == []
    assert usage(until, until + timedelta(days=1)) == []


def test_usage_leaves_waits_out_and_knows_a_step_under_another_name(trial: Trial) -> None:
    named = {"step": "trial_first", "name": "opening"}
    entries: list[dict[str, Any]] = [
        named,
        {"sleep": 0.01, "name": "pause"},
        {"step": "trial_second"},
    ]
    since = timezone.now()
    run_to_end(trial.create(entries=entries))

    steps = usage(since, timezone.now())

    assert [(each.entry, each.step) for each in steps] == [
        ("opening", "trial_first"),
        ("trial_second", "trial_second"),
    ]
    assert StepUsage("w", "e", "s").mean_seconds is None


@pytest.mark.django_db
def test_usage_refuses_a_naive_moment_and_an_empty_range() -> None:
    now = datetime.now(UTC)
    with pytest.raises(FilterError, match=r"until: .* says no zone"):
        usage(now, now.replace(tzinfo=None))
    with pytest.raises(FilterError, match="nothing lies between"):
        usage(now, now)


def test_an_instance_is_told_whole_and_as_json(trial: Trial) -> None:
    instance = trial.create(key="x", fail_times=1, refuse=False, partition="news")
    send_event("trial-x", "note", {"a": 1}, sender="ann", key="k")
    run_to_end(instance)
    verbs.restart("trial-x", actor="ann", generation=1, entry="trial_second", why="again")

    told = describe("trial-x")

    assert json.loads(json.dumps(told)) == told
    assert (told["status"], told["waiting_for"], told["generation"]) == ("queued", None, 2)
    assert (told["partition"], told["entry"]) == ("news", "trial_second")
    assert told["envelope"] == {"marks": str(trial.path), "fail_times": 1, "refuse": False}
    assert [(each["name"], each["status"]) for each in told["entries"]] == [
        ("trial_first", "complete"),
        ("trial_second", "pending"),
        ("trial_third", "pending"),
    ]
    assert told["entries"][0]["output"] == {"said": "x"}
    (failed,) = told["entries"][1]["attempts"]
    assert (failed["number"], failed["outcome"]) == (1, "failed")
    assert failed["error"]["message"] == "failed as ordered, time 1"
    assert [each["entry"] for each in told["superseded"]] == ["trial_second", "trial_third"]
    assert [(each["type"], each["payload"], each["key"]) for each in told["events"]] == [
        ("note", {"a": 1}, "k")
    ]
    assert [each["kind"] for each in told["log"]] == ["created", "event", "complete", "restart"]
    assert told["log"][-1]["why"] == "again"
    assert told["created_at"].endswith("Z")


def test_a_sensitive_output_is_hidden_also_once_it_was_superseded(trial: Trial) -> None:
    instance = trial.create(key="x")
    run_to_end(instance)
    instance.records.filter(entry__in=["trial_first", "trial_third"]).update(sensitive=True)
    verbs.restart("trial-x", actor="ann", generation=1, entry="trial_third")

    told = describe("trial-x")

    assert [each["output"] for each in told["entries"]] == [HIDDEN, {"said": "x"}, None]
    assert [each["output"] for each in told["superseded"]] == [HIDDEN]
