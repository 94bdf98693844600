"""Caps hold among worker processes, through midnight, a raise, and callers that never give up."""

from datetime import datetime

import pytest
from django.db import connection

from publishing import ledger
from publishing.models import Bucket, Call, Cap
from tests.flows.paying import UP_TO_TEXT, Town, has_come_to_rest, write_for
from tests.publishing.anthropic_server import Exchange, Script, drops
from tests.workflows.conftest import is_in, wait_until
from workflows.models import Instance, Status

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS, THREADS = 3, 8
AT_ONCE = 8  # calls that the cap leaves room for at first


def gated(script: Script) -> Script:
    """Return the script as it answers only when the server lets go."""

    def answer(exchange: Exchange) -> None:
        exchange.server.go_on.wait()
        script(exchange)

    return answer


def learn_price(town: Town) -> tuple[int, int]:
    """Pay for one article; return what the same for another brief holds, and what it costs.

    From then on an article costs three quarters of its hold.
    """
    with town.workers():
        brief = town.order("b000", entries=UP_TO_TEXT)
        wait_until(lambda: is_in(brief, Status.COMPLETE))
    call = Call.objects.get()
    cost = call.held_micros * 3 // 4 // 10 * 10
    town.text.script = write_for(cost)
    return call.held_micros, cost


def spent_on(scope: str) -> int:
    return Bucket.objects.get(key__startswith=f"{scope}:").spent_micros


def set_cap(scope: str, cap_micros: int) -> None:
    Cap.objects.filter(scope=scope).update(cap_micros=cap_micros)


def waits(key: str, reason: str) -> bool:
    instances = Instance.objects.filter(key=key, status=Status.WAITING, reason=reason)
    return instances.exists()


def complete(lane: str = "news") -> int:
    return Instance.objects.filter(status=Status.COMPLETE, partition=lane).count()


def parked_by(scope: str) -> int:
    """Count what waits for budget, and was told that this cap is in its way."""
    waiting = Instance.objects.filter(status=Status.WAITING, reason="budget", due_at=None)
    return waiting.filter(error__data__cap=scope).count()


def wake_until_nothing_fits() -> None:
    """Wake as the workers' hosts do every second, until all have come to rest and none fits."""

    def rests() -> bool:
        return has_come_to_rest() and not ledger.wake_what_fits()

    wait_until(rests, seconds=60)


@pytest.mark.parametrize("scope", ["day", "lane-day"])
def test_of_twenty_four_threads_in_three_workers_as_many_pay_as_fit_and_the_rest_waits(
    town: Town, scope: str
) -> None:
    hold, cost = learn_price(town)
    already = spent_on(scope)
    set_cap(scope, already + AT_ONCE * hold)
    town.text.script = gated(town.text.script)
    for number in range(1, 31):
        town.order(f"b{number:03}", entries=UP_TO_TEXT)

    with town.workers(WORKERS, threads=THREADS):
        wait_until(lambda: Call.objects.filter(state="held").count() == AT_ONCE)
        wait_until(lambda: Instance.objects.filter(reason="busy").count() == 30 - AT_ONCE)
        assert len(town.text.requests) <= 1 + AT_ONCE
        town.audit()
        town.text.go_on.set()
        wake_until_nothing_fits()

        fitting = (AT_ONCE - 1) * hold // cost + 1
        assert (complete(), parked_by(scope)) == (1 + fitting, 30 - fitting)
        assert spent_on(scope) == already + fitting * cost
        town.audit()

        # A raise while they are parked: exactly what fits now goes on.
        set_cap(scope, already + (AT_ONCE + 4) * hold)
        wake_until_nothing_fits()
        fitting = (AT_ONCE + 3) * hold // cost + 1
        assert (complete(), parked_by(scope)) == (1 + fitting, 30 - fitting)
        town.audit()

        # Of a lane's cap another lane knows nothing; the day's is everybody's.
        other = town.order("s001", lane="sport", entries=UP_TO_TEXT)
        wait_until(lambda: is_in(other, Status.COMPLETE) or waits("s001", "budget"))
        assert complete("sport") == (1 if scope == "lane-day" else 0)

    assert len(town.text.requests) == Call.objects.count()
    town.audit()


def test_a_routine_that_mints_a_new_brief_at_each_retry_meets_its_lanes_cap(town: Town) -> None:
    hold, _ = learn_price(town)
    already = spent_on("lane-day")
    set_cap("lane-day", already + 7 * hold + hold // 2)
    town.text.script = drops
    with town.workers():
        for number in range(1, 11):
            town.order(f"b{number:03}", entries=UP_TO_TEXT)
            wait_until(has_come_to_rest)
            town.audit()

        assert len(town.text.requests) == 1 + 7
        assert spent_on("lane-day") == already + 7 * hold
        assert [waits(f"b{number:03}", "operator") for number in (1, 2, 3)] == [True, True, False]
        assert parked_by("lane-day") == 8

        town.text.script = write_for(hold // 2)
        other = town.order("s001", lane="sport", entries=UP_TO_TEXT)
        wait_until(lambda: is_in(other, Status.COMPLETE))
    town.audit()


_PASS_MIDNIGHT = """
with moved as (
    update publishing_bucket
    set key = replace(key, (now() at time zone 'utc')::date::text, %(day)s)
    where key like '%%' || (now() at time zone 'utc')::date
)
update publishing_call
set created_at = %(day)s::date, buckets =
    replace(buckets::text, (now() at time zone 'utc')::date::text, %(day)s)::jsonb
where buckets ->> 3 = 'day:' || (now() at time zone 'utc')::date
"""


def pass_midnight(*, day: str) -> None:
    """Let all that was spent and held today have been so on another day."""
    with connection.cursor() as cursor:
        cursor.execute(_PASS_MIDNIGHT, {"day": day})


def days() -> dict[str, tuple[int, int]]:
    """Return held and spent of each day; today by the database's clock is `today`."""
    with connection.cursor() as cursor:
        cursor.execute("select (now() at time zone 'utc')::date::text")
        today = cursor.fetchone()[0]
    rows = Bucket.objects.filter(key__startswith="day:").order_by("key")
    return {
        "today" if row.key == f"day:{today}" else row.key[4:]: (row.held_micros, row.spent_micros)
        for row in rows
    }


def test_midnight_makes_room_and_a_hold_that_spans_it_settles_on_its_own_day(town: Town) -> None:
    hold, cost = learn_price(town)
    first = spent_on("day")
    set_cap("day", hold + first // 2)
    town.text.script = gated(town.text.script)

    with town.workers():
        town.order("b001", entries=UP_TO_TEXT)
        wait_until(lambda: waits("b001", "budget"))
        resets_at = Instance.objects.get(key="b001").error["data"]["resets_at"]  # type: ignore[index]
        assert datetime.fromisoformat(resets_at).time().isoformat() == "00:00:00"
        assert ledger.wake_what_fits() == 0

        pass_midnight(day="2026-01-01")
        assert ledger.wake_what_fits() == 1
        wait_until(lambda: len(town.text.requests) == 2)
        assert days() == {"2026-01-01": (0, first), "today": (hold, 0)}
        town.audit()

        pass_midnight(day="2026-01-02")
        town.text.go_on.set()
        wait_until(lambda: complete() == 2)
        assert days() == {"2026-01-01": (0, first), "2026-01-02": (0, cost)}

        last = town.order("b002", entries=UP_TO_TEXT)
        wait_until(lambda: is_in(last, Status.COMPLETE))
    assert days() == {
        "2026-01-01": (0, first),
        "2026-01-02": (0, cost),
        "today": (0, cost),
    }
    town.audit()
