"""What waits for budget goes on when there is room: oldest first, and only as many as fit."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from publishing import ledger
from publishing.ledger.settle import lose, release
from publishing.models import Cap
from tests.publishing.paying import HOLD, at_once, books, call_for, hold_open
from tests.trial.stages import ENTRIES
from workflows.graphs import store_graph
from workflows.models import Instance, Rank, Reason, Status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("caps")]

_PARK = """
insert into workflows_instance (workflow, key, partition, graph_id, trigger, payload_hash,
    generation, status, reason, position, attempt, failures, crashes, error, fence, rank, inbox,
    pause_requested, created_at)
select 'trial', %(name)s || n, %(lane)s, %(graph)s, 'command', '', 1, 2, 'budget', 0, 1, 0, 0,
    jsonb_build_object('type', 'Park', 'data', jsonb_build_object('asked_micros', %(asked)s::bigint,
        'cap', 'day', 'brief_id', %(name)s || n, 'entry', 'generate', 'regeneration', 0,
        'lane', %(lane)s)),
    1, 0, 0, false, now()
from generate_series(1, %(count)s) as n
"""


def park(count: int, *, name: str = "w", lane: str = "news", asked: int = HOLD) -> None:
    """Have instances wait for budget, as so many parked steps leave them."""
    graph = store_graph(ENTRIES, workflow="trial").pk
    with connection.cursor() as cursor:
        values: dict[str, Any] = {
            "name": name,
            "lane": lane,
            "asked": asked,
            "graph": graph,
            "count": count,
        }
        cursor.execute(_PARK, values)


def spend(micros_of_cap: int, *, scope: str = "day") -> None:
    """Leave a cap of so much with one hold's worth spent."""
    Cap.objects.filter(scope=scope).update(cap_micros=micros_of_cap)
    lose(hold_open(call_for("spender")).pk, "lost")


def versions() -> dict[int, tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("select id, xmin::text, ctid::text from workflows_instance")
        return {row: (xmin, ctid) for row, xmin, ctid in cursor.fetchall()}


def woken() -> list[str]:
    rows = Instance.objects.filter(due_at__isnull=False).order_by("due_at")
    return [str(key) for key in rows.values_list("key", flat=True)]


def test_of_ten_thousand_a_cap_raised_by_one_call_lets_one_go_on_and_rewrites_no_other() -> None:
    spend(HOLD)
    park(10_000)
    before = versions()
    assert ledger.wake_what_fits() == 0
    assert versions() == before
    Cap.objects.filter(scope="day").update(cap_micros=F("cap_micros") + HOLD)
    assert [ledger.wake_what_fits() for _ in range(5)] == [1, 0, 0, 0, 0]
    after = versions()
    oldest = Instance.objects.order_by("id")[0]
    assert [row for row in before if before[row] != after[row]] == [oldest.pk]
    assert (oldest.rank, oldest.reason) == (Rank.NEW, Reason.BUDGET)
    assert oldest.due_at is not None


def test_what_was_woken_counts_until_its_own_hold_does() -> None:
    spend(HOLD)
    park(3)
    Cap.objects.filter(scope="day").update(cap_micros=2 * HOLD)
    assert ledger.wake_what_fits() == 1
    claimed = Instance.objects.filter(key="w1")
    claimed.update(
        status=Status.RUNNING, reason=None, due_at=None, attempt_started_at=datetime.now(UTC)
    )
    assert ledger.wake_what_fits() == 0
    hold = hold_open(call_for("w1"))
    assert ledger.wake_what_fits() == 0
    release(hold.pk, "never sent")
    assert ledger.wake_what_fits() == 1
    assert woken() == ["w2"]
    books()


def test_a_new_day_wakes_the_oldest_first_and_no_more_than_two_hundred_a_second() -> None:
    spend(HOLD)
    park(300)
    with connection.cursor() as cursor:  # the money was spent on another day
        cursor.execute("update publishing_bucket set key = 'day:2026-01-01' where key like 'day:%'")
    Cap.objects.filter(scope="day").update(cap_micros=1_000 * HOLD)
    assert ledger.wake_what_fits() == 200
    assert ledger.wake_what_fits() == 0
    assert woken() == [f"w{number}" for number in range(1, 201)]
    times = list(
        Instance.objects.filter(due_at__isnull=False)
        .order_by("due_at")
        .values_list("due_at", flat=True)
    )
    apart = {later - earlier for earlier, later in pairwise(times)}  # type: ignore[operator]
    assert apart == {timedelta(milliseconds=5)}
    Instance.objects.filter(key__in=["w1", "w2"]).update(
        status=Status.COMPLETE, reason=None, due_at=None
    )
    assert ledger.wake_what_fits() == 2
    assert woken()[-2:] == ["w201", "w202"]


def test_a_settle_below_its_hold_wakes_what_fits_then() -> None:
    Cap.objects.filter(scope="day").update(cap_micros=HOLD)
    open_call = hold_open(call_for("spender"))
    park(2)
    assert ledger.wake_what_fits() == 0
    release(open_call.pk, "never sent")
    assert ledger.wake_what_fits() == 1
    assert woken() == ["w1"]


def test_a_small_request_does_not_overtake_a_large_one_of_the_same_day() -> None:
    spend(2 * HOLD)
    park(1, name="large", asked=HOLD + 1)
    park(1, name="small", asked=HOLD)
    assert ledger.wake_what_fits() == 0
    Cap.objects.filter(scope="day").update(cap_micros=3 * HOLD)
    assert ledger.wake_what_fits() == 1
    assert woken() == ["large1"]


def test_what_no_room_will_ever_hold_keeps_nobody_else_waiting() -> None:
    Cap.objects.filter(scope="day").update(cap_micros=HOLD)
    park(1, name="giant", asked=2 * HOLD)
    park(1, name="small", asked=HOLD)
    assert ledger.wake_what_fits() == 1
    assert woken() == ["small1"]


def test_a_lane_without_room_keeps_no_other_lane_waiting() -> None:
    spend(HOLD, scope="lane-day")
    park(700)
    park(2, name="s", lane="sport")
    assert ledger.wake_what_fits() == 1
    assert woken() == ["s1"]


def test_hosts_that_look_at_once_wake_no_more_than_fit() -> None:
    spend(HOLD)
    park(50)
    Cap.objects.filter(scope="day").update(cap_micros=4 * HOLD)
    assert sum(at_once(8, lambda _: ledger.wake_what_fits())) == 3  # type: ignore[arg-type]
    assert woken() == ["w1", "w2", "w3"]


def test_who_waits_for_budget_is_found_by_the_index_of_those_that_need_a_person() -> None:
    park(10_000)
    with connection.cursor() as cursor:
        cursor.execute("analyze workflows_instance")
        cursor.execute("update workflows_instance set status = 6, reason = null where id % 100 > 0")
        cursor.execute("vacuum analyze workflows_instance")
        cursor.execute(
            "explain select id from workflows_instance where status = 2 and reason = 'budget' "
            "and due_at is null and id > 0 order by id limit 500"
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan" not in plan
    assert "workflows_needs_person" in plan or "workflows_open" in plan
