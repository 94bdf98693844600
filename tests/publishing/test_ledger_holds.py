"""Holds whose worker was killed, answers that come late: none is lost from the books."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from publishing import ledger
from publishing.ledger import Answer
from publishing.ledger.settle import lose, settle
from publishing.models import Call
from publishing.providers.attempts import Reply
from tests.publishing.anthropic_server import (
    AnthropicServer,
    message,
)
from tests.publishing.paying import COST, HOLD, at_once, books, call_for, everywhere, hold_open
from workflows.errors import Park
from workflows.models import Drain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("caps")]


def test_the_hold_of_a_live_drain_is_waited_for(
    anthropic_server: AnthropicServer, drain: Drain
) -> None:
    left = hold_open(call_for(), drain=drain.pk)
    with pytest.raises(Park) as parked:
        ledger.pay(call_for())
    assert (parked.value.reason, parked.value.until) == ("call", left.lease_until)
    assert anthropic_server.requests == []
    assert books() == everywhere(HOLD, 0)


@pytest.mark.parametrize(
    "gone",
    [
        {"lease_until": datetime(2026, 1, 1, tzinfo=UTC)},
        {"ended_at": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
    ids=["lapsed", "ended"],
)
def test_the_hold_of_a_dead_drain_is_spent_and_the_call_sent_again_at_once(
    anthropic_server: AnthropicServer, drain: Drain, gone: dict[str, Any]
) -> None:
    left = hold_open(call_for(), drain=drain.pk)
    Drain.objects.update(**gone)
    assert ledger.pay(call_for()).cost_micros == COST
    left.refresh_from_db()
    assert (left.state, left.cost_micros) == ("unknown", HOLD)
    assert len(anthropic_server.requests) == 1
    assert books() == everywhere(0, HOLD + COST)


def test_a_hold_past_its_own_lease_is_spent_even_if_its_drain_lives(
    anthropic_server: AnthropicServer, drain: Drain
) -> None:
    hold_open(call_for(), drain=drain.pk, lapsed=True)
    assert not ledger.pay(call_for()).is_memo
    assert books() == everywhere(0, HOLD + COST)


def test_of_eight_that_meet_a_dead_hold_one_sends(
    anthropic_server: AnthropicServer, drain: Drain
) -> None:
    hold_open(call_for(), drain=drain.pk)
    Drain.objects.update(ended_at=datetime.now(UTC))
    results = at_once(8, lambda _: ledger.pay(call_for()))
    paid = [r for r in results if isinstance(r, Answer) and not r.is_memo]
    assert len(paid) == len(anthropic_server.requests) == 1
    assert all(
        isinstance(r, Answer) or (isinstance(r, Park) and r.reason == "call") for r in results
    )
    assert books() == everywhere(0, HOLD + COST)


def test_the_sweep_spends_lapsed_holds_and_leaves_live_ones() -> None:
    lapsed = hold_open(call_for("b1"), lapsed=True)
    live = hold_open(call_for("b2"))
    assert ledger.sweep() == 1
    assert ledger.sweep() == 0
    lapsed.refresh_from_db()
    live.refresh_from_db()
    assert (lapsed.state, lapsed.cost_micros) == ("unknown", HOLD)
    assert live.state == "held"
    assert books()["day"] == (HOLD, HOLD)


def test_a_late_answer_is_kept_as_memo_and_what_is_spent_stays(
    anthropic_server: AnthropicServer,
) -> None:
    left = hold_open(call_for())
    lose(left.pk, "taken for dead")
    reply = Reply(answer=message("late"), usage=message()["usage"], request_id="req_late")
    assert settle(left.pk, reply, cost_micros=COST) is False
    served = ledger.pay(call_for())
    assert (served.is_memo, served.cost_micros) == (True, HOLD)
    assert served.body["content"][0]["text"] == "late"
    assert anthropic_server.requests == []
    left.refresh_from_db()
    assert (left.state, left.served, left.request_id) == ("unknown", 1, "req_late")
    assert books() == everywhere(0, HOLD)


def test_a_call_swept_while_it_runs_still_gives_its_answer(
    anthropic_server: AnthropicServer,
) -> None:
    def sweep_first(exchange: Any) -> None:
        Call.objects.update(lease_until=F("created_at") - timedelta(days=1))
        assert ledger.sweep() == 1
        connection.close()
        exchange.reply(200, message())

    anthropic_server.script = sweep_first
    answer = ledger.pay(call_for())
    assert (answer.is_memo, answer.cost_micros) == (False, HOLD)
    assert ledger.pay(call_for()).is_memo
    assert len(anthropic_server.requests) == 1
    assert books() == everywhere(0, HOLD)


def test_of_settle_and_sweep_at_once_one_closes_the_call() -> None:
    reply = Reply(answer=message(), usage=message()["usage"], request_id="")
    for round_number in range(10):
        call = hold_open(call_for(f"b{round_number}"), lapsed=True)
        results = at_once(
            6,
            lambda number, pk=call.pk: (  # type: ignore[misc]
                settle(pk, reply, cost_micros=COST) if number % 2 else lose(pk, "swept")
            ),
        )
        assert sorted(results) == [False] * 5 + [True]  # type: ignore[type-var]
        call.refresh_from_db()
        assert call.answer is not None
    assert books()["day"][0] == 0
