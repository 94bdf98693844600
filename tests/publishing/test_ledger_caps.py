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
)
from tests.publishing.paying import HOLD, at_once, books, call_for, hold_open
from workflows.errors import Park

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


def test_a_spent_day_waits_for_the_next_midnight_in_utc(
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
    assert parked.value.until is not None
    assert timedelta() <= parked.value.until - midnight <= timedelta(minutes=5)
    assert parked.value.data == {
        "asked_micros": HOLD,
        "left_micros": cap - HOLD,
        "cap": "day",
        "bucket": bucket.key,
        "cap_micros": cap,
        "spent_micros": HOLD,
        "held_micros": 0,
        "resets_at": midnight.isoformat(),
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
