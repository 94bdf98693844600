"""The time axis: to scale while something runs, broken where nothing does for long."""

from datetime import UTC, datetime, timedelta

import pytest

from publishing.admin.axis import Axis
from publishing.admin.marks import plain_dates
from publishing.admin.timeline import read_timeline
from tests.publishing.admin.conftest import errored
from workflows.models import Attempt, LogEntry

BEGIN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def test_a_gap_of_at_most_three_working_times_is_drawn_to_scale() -> None:
    axis = Axis(BEGIN, at(5), busy=[(at(0), at(1)), (at(4), at(4.5))])
    assert axis.breaks() == []
    assert axis.place(at(1), at(4)) == ("20.000%", "60.000%")


def test_a_long_sleep_is_a_break_that_leaves_the_bars_their_room() -> None:
    days = 29 * 86400
    axis = Axis(BEGIN, at(days + 2), busy=[(at(0), at(1)), (at(days + 1), at(days + 2))])
    (gap,) = axis.breaks()
    assert (gap.left, gap.width, gap.label) == ("45.500%", "9.000%", "29 d")
    assert gap.title == "29 d in which nothing ran, not to scale"
    assert axis.place(at(0), at(1)) == ("0.000%", "45.500%")
    assert axis.place(at(days + 1), at(days + 2)) == ("54.500%", "45.500%")


def test_many_breaks_share_less_than_half_of_the_axis() -> None:
    busy = [(at(hour * 3600), at(hour * 3600 + 1)) for hour in range(20)]
    breaks = Axis(BEGIN, at(19 * 3600 + 1), busy=busy).breaks()
    assert len(breaks) == 19
    assert sum(float(gap.width.rstrip("%")) for gap in breaks) == pytest.approx(45, abs=0.1)


def test_no_label_of_a_tick_reaches_over_the_right_edge() -> None:
    ticks = Axis(BEGIN, at(10), busy=[(at(0), at(10))]).ticks()
    assert [(tick.left, tick.label) for tick in ticks] == [
        ("0.000%", "0"), ("20.000%", "2 s"), ("40.000%", "4 s"), ("60.000%", "6 s"),
        ("80.000%", "8 s"),
    ]  # fmt: skip


@pytest.mark.django_db
def test_between_an_end_and_its_retry_nothing_is_drawn_as_waiting() -> None:
    instance = errored("a")
    failed = instance.attempts.get()
    ended, retried = failed.finished_at, failed.finished_at + timedelta(hours=2)
    for kind, when in (("errored", ended), ("retry", retried)):
        LogEntry.objects.create(transaction=1, instance=instance, generation=1, kind=kind, at=when)
    begun = retried + timedelta(seconds=1)
    Attempt.objects.create(
        instance=instance, generation=1, position=1, entry="trial_second", number=2,
        outcome="failed", started_at=begun, finished_at=begun + timedelta(seconds=1),
    )  # fmt: skip
    assert failed.started_at is not None
    instance.created_at, instance.finished_at = failed.started_at, begun + timedelta(seconds=1)
    timeline = read_timeline(instance)
    assert [gap.label for gap in timeline.breaks] == ["2 h"]
    bars = [bar.label for row in timeline.rows for bar in row.bars]
    assert "waiting, 1.0 s" in bars
    assert not [label for label in bars if " h" in label]


@pytest.mark.django_db
def test_equal_failures_in_a_row_are_one_line() -> None:
    instance = errored("a")
    first = instance.attempts.get()
    for number, message in ((2, "'x' <i>"), (3, "'x' <i>"), (4, "other")):
        error = {"type": "KeyError", "message": message}
        Attempt.objects.create(
            instance=instance, generation=1, position=1, entry="trial_second", number=number,
            outcome="failed", error=error, started_at=first.finished_at,
            finished_at=first.finished_at,
        )  # fmt: skip
    folds = read_timeline(instance).rows[1].folds
    assert [[one.number for one in fold.tries] for fold in folds] == [[1, 2, 3], [4]]


def test_moments_in_the_log_are_written_as_everywhere_else() -> None:
    line = "cool: sleeps until 2026-12-21T17:44:45.952311+02:00"
    assert plain_dates(line) == "cool: sleeps until 2026-12-21 15:44:45 UTC"
