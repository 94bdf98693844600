"""Caps: none is crossed, and what is refused waits for what makes room."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from publishing import ledger
from publishing.ledger import Answer
from publishing.ledger.settle import lose
from publishing.models import Bucket, Call, Cap
from tests.publishing.anthropic_server import (
    AnthropicServer,
    answers,
    drops,
)
from tests.publishing.paying import (
    COST,
    HOLD,
    at_once,
    books,
    call_for,
    everywhere,
    hold_open,
)
from workflows.errors import Park, RetryableError

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("caps")]


def test_twenty_four_threads_never_cross_a_cap(
    anthropic_server: AnthropicServer, caps: dict[str, Cap]
) -> None:
    Cap.objects.filter(scope="day").update(cap_micros=10 * HOLD)
    anthropic_server.script = answers(usage={"input_tokens": 2_000, "output_tokens": 800})

    def spend(number: int) -> list[str]:
        said = []
        for turn in range(6):
            try:
                ledger.pay(call_for(f"b{number}", label=f"part-{turn}"))
                said.append("paid")
            except Park as parked:
                said.append(parked.reason)
            books()
        return said

    results = at_once(24, spend)
    said = [word for words in results for word in words]  # type: ignore[attr-defined]
    assert len(said) == 144
    assert set(said) <= {"paid", "busy", "budget"}
    assert said.count("paid") == len(anthropic_server.requests) == Call.objects.count()
    held, spent = books()["day"]
    assert held == 0
    assert spent == 12_000 * said.count("paid") > 9 * HOLD - 12_000


def test_what_would_fit_once_open_holds_settle_is_busy(
    anthropic_server: AnthropicServer,
) -> None:
    Cap.objects.filter(scope="day").update(cap_micros=HOLD + HOLD // 2)
    hold_open(call_for("b1"))
    before = datetime.now(UTC)
    with pytest.raises(Park) as parked:
        ledger.pay(call_for("b2"))
    assert parked.value.reason == "busy"
    assert parked.value.until is not None
    wait = parked.value.until - before
    assert timedelta(seconds=4) < wait < timedelta(seconds=65)
    assert Call.objects.count() == 1
    assert anthropic_server.requests == []
    assert books()["day"] == (HOLD, 0)


def test_a_spent_day_waits_for_room_and_says_when_it_resets(
    anthropic_server: AnthropicServer,
) -> None:
    cap = HOLD + HOLD // 2
    Cap.objects.filter(scope="day").update(cap_micros=cap)
    lose(hold_open(call_for("b1")).pk, "lost")
    with pytest.raises(Park) as parked:
        ledger.pay(call_for("b2"))
    bucket = Bucket.objects.get(key__startswith="day:")
    midnight = datetime.fromisoformat(bucket.key.removeprefix("day:") + "T00:00Z") + timedelta(
        days=1
    )
    assert parked.value.reason == "budget"
    assert parked.value.until is None
    assert parked.value.data == {
        "asked_micros": HOLD,
        "left_micros": cap - HOLD,
        "cap": "day",
        "bucket": bucket.key,
        "cap_micros": cap,
        "spent_micros": HOLD,
        "held_micros": 0,
        "resets_at": midnight.isoformat(),
        "brief_id": "b2",
        "entry": "generate",
        "regeneration": 0,
        "lane": "news",
    }
    assert anthropic_server.requests == []


def test_a_spent_brief_waits_for_a_raise_and_the_raise_acts_at_once(
    anthropic_server: AnthropicServer,
) -> None:
    Cap.objects.filter(scope="brief").update(cap_micros=HOLD + HOLD // 2)
    lose(hold_open(call_for()).pk, "lost")
    with pytest.raises(Park) as parked:
        ledger.pay(call_for())
    assert (parked.value.reason, parked.value.until) == ("budget", None)
    assert parked.value.data["cap"] == "brief"
    assert not ledger.pay(call_for("b2")).is_memo
    Cap.objects.filter(scope="brief").update(cap_micros=3 * HOLD)
    assert not ledger.pay(call_for()).is_memo
    assert Bucket.objects.get(key="brief:b1").cap_micros == 3 * HOLD


def test_what_alone_exceeds_a_cap_errors_at_once(anthropic_server: AnthropicServer) -> None:
    Cap.objects.filter(scope="brief").update(cap_micros=HOLD - 1)
    with pytest.raises(ledger.OverCapError) as refused:
        ledger.pay(call_for())
    assert refused.value.data == {
        "asked_micros": HOLD,
        "cap": "brief",
        "cap_micros": HOLD - 1,
    }
    assert (Call.objects.count(), Bucket.objects.count()) == (0, 0)
    assert anthropic_server.requests == []


def test_without_a_cap_nothing_is_paid(anthropic_server: AnthropicServer) -> None:
    Cap.objects.filter(scope="day").delete()
    with pytest.raises(ledger.MissingCapError):
        ledger.pay(call_for())
    assert Call.objects.count() == 0
    assert anthropic_server.requests == []


def test_a_refusal_does_not_wait_for_another_briefs_lock(
    anthropic_server: AnthropicServer,
) -> None:
    Cap.objects.filter(scope="brief").update(cap_micros=HOLD)
    lose(hold_open(call_for("b1")).pk, "lost")
    lose(hold_open(call_for("b2")).pk, "lost")
    with transaction.atomic():
        Bucket.objects.select_for_update().get(key="brief:b1")

        def ask(_: int) -> object:
            with connection.cursor() as cursor:
                cursor.execute("set lock_timeout = '10s'")
            return ledger.pay(call_for("b3"))

        assert isinstance(at_once(1, ask)[0], Answer)
    assert len(anthropic_server.requests) == 1


@pytest.mark.parametrize("scope", ["call", "step", "brief", "lane-day", "day"])
def test_each_scope_refuses_what_it_could_never_hold(
    anthropic_server: AnthropicServer, scope: str
) -> None:
    Cap.objects.filter(scope=scope).update(cap_micros=HOLD - 1)
    with pytest.raises(ledger.OverCapError) as refused:
        ledger.pay(call_for())
    assert refused.value.data["cap"] == scope
    assert (Call.objects.count(), Bucket.objects.count()) == (0, 0)
    assert anthropic_server.requests == []


@pytest.mark.parametrize(
    ("scope", "resets"), [("step", False), ("brief", False), ("lane-day", True), ("day", True)]
)
def test_each_bucket_refuses_by_itself_and_the_others_stay_as_they_were(
    anthropic_server: AnthropicServer, scope: str, resets: bool
) -> None:
    Cap.objects.filter(scope=scope).update(cap_micros=2 * HOLD - 1)
    lose(hold_open(call_for()).pk, "lost")
    before = books()
    with pytest.raises(Park) as parked:
        ledger.pay(call_for(label="head"))
    data = parked.value.data
    assert (parked.value.reason, parked.value.until, data["cap"]) == ("budget", None, scope)
    assert (data["asked_micros"], data["left_micros"]) == (HOLD, HOLD - 1)
    assert bool(data["resets_at"]) is resets
    assert books() == before == everywhere(0, HOLD)
    assert anthropic_server.requests == []


def test_a_lanes_own_cap_lowers_its_own_and_never_raises(
    anthropic_server: AnthropicServer,
) -> None:
    Cap.objects.create(scope="call", name="news", cap_micros=HOLD - 1)
    Cap.objects.create(scope="call", name="sport", cap_micros=9_000_000)
    Cap.objects.filter(scope="call", name="").update(cap_micros=HOLD)
    with pytest.raises(ledger.OverCapError):
        ledger.pay(call_for("b1"))
    assert not ledger.pay(call_for("b2", lane="sport")).is_memo
    Cap.objects.filter(scope="call", name="").update(cap_micros=HOLD - 1)
    with pytest.raises(ledger.OverCapError):
        ledger.pay(call_for("b3", lane="sport"))
    assert len(anthropic_server.requests) == 1


def test_a_caller_that_mints_new_briefs_is_stopped_by_its_lanes_day(
    anthropic_server: AnthropicServer,
) -> None:
    Cap.objects.filter(scope="lane-day").update(cap_micros=3 * HOLD)
    anthropic_server.script = drops
    said = []
    for number in range(8):
        try:
            ledger.pay(call_for(f"b{number}"))
        except RetryableError:
            said.append("lost")
        except Park as parked:
            said.append(str(parked.data["cap"]))
    assert said == ["lost"] * 3 + ["lane-day"] * 5
    assert len(anthropic_server.requests) == Call.objects.count() == 3
    assert Bucket.objects.filter(key__startswith="brief:").count() == 3
    anthropic_server.script = answers()
    assert not ledger.pay(call_for("b9", lane="sport")).is_memo


def test_a_refused_lane_waits_for_no_lock_of_another(anthropic_server: AnthropicServer) -> None:
    Cap.objects.filter(scope="lane-day").update(cap_micros=2 * HOLD - 1)
    lose(hold_open(call_for("b1")).pk, "lost")
    with transaction.atomic():
        Bucket.objects.select_for_update().get(key__startswith="day:")

        def ask(_: int) -> object:
            with connection.cursor() as cursor:
                cursor.execute("set lock_timeout = '1s'")
            return ledger.pay(call_for("b2"))

        refused = at_once(1, ask)[0]
    assert isinstance(refused, Park)
    assert refused.data["cap"] == "lane-day"
    assert anthropic_server.requests == []


def test_what_was_held_before_midnight_settles_on_its_own_day() -> None:
    left = hold_open(call_for())
    yesterday = [key.replace(str(datetime.now(UTC).date()), "2026-01-01") for key in left.buckets]
    for now_key, then_key in zip(left.buckets, yesterday, strict=True):
        Bucket.objects.filter(key=now_key).update(key=then_key)
    Call.objects.filter(pk=left.pk).update(buckets=yesterday)
    hold_open(call_for("b2"))
    lose(left.pk, "lost")
    assert Bucket.objects.get(key="day:2026-01-01").spent_micros == HOLD
    today = Bucket.objects.get(key=f"day:{datetime.now(UTC).date()}")
    assert (today.held_micros, today.spent_micros) == (HOLD, 0)
    books()


def test_callers_of_four_lanes_at_once_neither_deadlock_nor_cross_a_cap(
    anthropic_server: AnthropicServer,
) -> None:
    Cap.objects.filter(scope="lane-day").update(cap_micros=4 * HOLD)
    Cap.objects.filter(scope="day").update(cap_micros=9 * HOLD)

    def spend(number: int) -> list[str]:
        said = []
        for turn in range(4):
            lane = f"lane{(number + turn) % 4}"
            try:
                ledger.pay(call_for(f"b{number % 6}", lane=lane, label=f"{number}-{turn}"))
                said.append("paid")
            except Park as parked:
                said.append(parked.reason)
        return said

    results = at_once(24, spend)
    said = [word for words in results for word in words]  # type: ignore[attr-defined]
    assert set(said) <= {"paid", "busy", "budget"}
    assert said.count("paid") == len(anthropic_server.requests)
    assert books()["day"] == (0, COST * said.count("paid"))
    settled = Call.objects.filter(state="settled").values("key").distinct().count()
    assert settled == said.count("paid")


def test_an_entry_with_a_long_name_has_a_bucket_of_its_own(
    anthropic_server: AnthropicServer,
) -> None:
    ledger.pay(call_for("b" * 92, entry="a" * 60))
    ledger.pay(call_for("b" * 92, entry="a" * 59 + "b"))
    keys = Bucket.objects.filter(key__startswith="step:").values_list("key", "spent_micros")
    assert sorted(spent for _, spent in keys) == [COST, COST]
