"""Economy: a text at half price, ordered once, found again, and never paid for twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from publishing import ledger
from publishing.ledger import Answer
from publishing.models import Call, Cap
from tests.publishing.batch_server import BatchServer, serve_batches
from tests.publishing.paying import COST, HOLD, at_once, books, call_for, everywhere
from workflows.errors import NonRetryableError, Park, RetryableError, WorkflowError

HALF = COST // 2
HALF_HOLD = (HOLD - 5) // 2 + 5

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("caps")]


@pytest.fixture
def server(settings: Settings) -> Iterator[BatchServer]:
    with serve_batches() as running:
        settings.ANTHROPIC_BASE_URL = running.url
        settings.ANTHROPIC_API_KEY = "sk-test"
        yield running


def order(brief_id: str = "b1", **fields: Any) -> Answer:
    return ledger.pay(call_for(brief_id, economy=True, **fields))


def parks(**fields: Any) -> Park:
    with pytest.raises(Park) as parked:
        order(**fields)
    return parked.value


def backdate(age: timedelta) -> None:
    """Make every order older, as if time had passed."""
    Call.objects.update(created_at=datetime.now(UTC) - age)


def test_an_order_holds_half_and_waits_as_call_without_a_worker(server: BatchServer) -> None:
    parked = parks()
    assert parked.reason == "call"
    assert parked.until is not None
    wait = parked.until - datetime.now(UTC)
    assert timedelta(seconds=50) < wait <= timedelta(seconds=60)
    assert parked.data["batch"] == "msgbatch_1"
    assert abs(Call.objects.get().held_micros - HALF_HOLD) <= 2
    assert books() == everywhere(Call.objects.get().held_micros, 0)


def test_it_is_looked_for_less_often_the_longer_it_takes(server: BatchServer) -> None:
    parks()
    backdate(timedelta(minutes=50))
    until = parks().until
    assert until is not None
    wait = until - datetime.now(UTC)
    assert timedelta(minutes=4, seconds=50) < wait <= timedelta(minutes=5, seconds=1)
    backdate(timedelta(hours=20))
    until = parks().until
    assert until is not None
    assert until - datetime.now(UTC) <= timedelta(minutes=15)
    assert server.submits == 1


def test_the_answer_costs_half_and_is_a_memo_from_then_on(server: BatchServer) -> None:
    parks()
    server.end()
    paid = order()
    assert (paid.cost_micros, paid.is_memo) == (HALF, False)
    assert paid.body["content"][0]["type"] == "text"
    assert books() == everywhere(0, HALF)
    again = order()
    assert (again.cost_micros, again.is_memo) == (HALF, True)
    assert server.submits == 1
    call = Call.objects.get()
    assert (call.state, call.request_id, call.batch) == ("settled", "msgbatch_1", "msgbatch_1")


def test_an_answer_at_half_price_serves_one_that_asks_at_full_price(server: BatchServer) -> None:
    parks()
    server.end()
    order()
    assert ledger.pay(call_for()).is_memo is True


def test_a_submit_of_unknown_outcome_is_found_by_its_custom_id(server: BatchServer) -> None:
    server.submit = "drops"
    with pytest.raises(RetryableError):
        order()
    assert Call.objects.get().state == "held"
    assert parks().data["batch"] == ""
    server.end()
    assert order().cost_micros == HALF
    assert server.submits == 1
    assert Call.objects.get().batch == "msgbatch_1"


def test_it_is_found_among_others_on_any_page(server: BatchServer) -> None:
    server.submit = "drops"
    with pytest.raises(RetryableError):
        order()
    for number in range(5):
        server.take([{"custom_id": f"other-{number}", "params": {}}])
    server.take([{"custom_id": "two-1", "params": {}}, {"custom_id": "two-2", "params": {}}])
    server.most = 2
    server.end()
    assert order().cost_micros == HALF
    assert Call.objects.get().batch == "msgbatch_1"
    assert not any("msgbatch_7" in path for path in server.seen)  # ours hold one request


def test_while_a_strange_batch_runs_nothing_is_sent_again(server: BatchServer) -> None:
    server.submit = "vanishes"
    with pytest.raises(RetryableError):
        order()
    backdate(timedelta(hours=2))
    server.submit = "answers"
    server.take([{"custom_id": "whose", "params": {}}], age=timedelta(hours=1))
    assert parks().data["batch"] == ""
    assert server.submits == 1


def test_a_submit_that_never_arrived_counts_in_full_and_is_ordered_anew(
    server: BatchServer,
) -> None:
    server.submit = "vanishes"
    with pytest.raises(RetryableError):
        order()
    parks()  # it may yet come to stand in the list
    backdate(timedelta(minutes=7))
    with pytest.raises(RetryableError, match="not found in any batch"):
        order()
    lost = Call.objects.get()
    assert (lost.state, lost.awaits_batch) == ("unknown", False)
    server.submit = "answers"
    parks()
    server.end()
    assert order().cost_micros == HALF
    assert books() == everywhere(0, HALF + lost.held_micros)


def test_a_refused_submit_costs_nothing(server: BatchServer) -> None:
    server.submit = "refuses"
    with pytest.raises(RetryableError):
        order()
    assert Call.objects.get().state == "released"
    assert books() == everywhere(0, 0)


@pytest.mark.parametrize(
    ("kind", "fields", "error"),
    [
        ("expired", {}, RetryableError),
        ("canceled", {}, RetryableError),
        ("errored", {"type": "api_error", "message": "oops"}, RetryableError),
        ("errored", {"type": "invalid_request_error", "message": "no"}, NonRetryableError),
    ],
)
def test_what_did_not_succeed_is_given_back(
    server: BatchServer, kind: str, fields: dict[str, Any], error: type[WorkflowError]
) -> None:
    parks()
    server.end(kind, **fields)
    with pytest.raises(error, match=f"the batch msgbatch_1 {kind}"):
        order()
    assert Call.objects.get().state == "released"
    assert books() == everywhere(0, 0)


def test_after_it_expired_it_is_ordered_anew(server: BatchServer) -> None:
    parks()
    server.end("expired")
    with pytest.raises(RetryableError):
        order()
    parks()
    server.end()
    assert order().cost_micros == HALF
    assert server.submits == 2


def test_a_batch_that_was_deleted_counts_in_full(server: BatchServer) -> None:
    parks()
    server.batches.clear()
    with pytest.raises(RetryableError, match="is gone"):
        order()
    held = Call.objects.get().held_micros
    assert books() == everywhere(0, held)
    parks()
    assert server.submits == 2


def test_an_order_that_the_sweep_has_closed_is_still_looked_for(server: BatchServer) -> None:
    parks()
    Call.objects.update(lease_until=datetime.now(UTC) - timedelta(seconds=1))
    assert ledger.sweep() == 1
    held = Call.objects.get().held_micros
    server.end()
    assert order().cost_micros == held  # counted in full already
    assert books() == everywhere(0, held)
    assert order().is_memo is True
    assert server.submits == 1


def test_many_at_once_order_once(server: BatchServer) -> None:
    outcomes = at_once(8, lambda _: order())
    assert all(isinstance(each, Park) and each.reason == "call" for each in outcomes)
    assert server.submits == 1
    server.end()
    paid = at_once(8, lambda _: order())
    assert {each.cost_micros for each in paid if isinstance(each, Answer)} == {HALF}
    assert books() == everywhere(0, HALF)


def test_an_order_for_another_text_is_paid_and_waits_for_an_operator(server: BatchServer) -> None:
    parks()
    server.end()
    parked = parks(text="something else")
    assert parked.reason == "operator"
    assert books() == everywhere(0, HALF)
    assert order().is_memo is True


def test_a_bill_above_the_hold_is_booked_in_full_and_blocks_the_model(server: BatchServer) -> None:
    parks()
    server.end(usage={"input_tokens": 1_000_000, "output_tokens": 0})
    assert order().cost_micros == 1_000_000
    parked = parks(brief_id="b2")
    assert parked.reason == "operator"
    assert "blocked" in str(parked)


def test_only_texts_can_be_ordered(server: BatchServer) -> None:
    request = {"model": "voyage-4-lite", "input": ["a"], "output_dimension": 256}
    fixed = {"input_type": "document", "truncation": False, "encoding_format": "base64"}
    with pytest.raises(NonRetryableError, match="only texts"):
        order(provider="embedding", request=request | fixed)
    assert server.seen == []


def test_an_order_waits_for_budget_like_any_call(server: BatchServer) -> None:
    Cap.objects.filter(scope="day").update(cap_micros=HALF_HOLD + 2)
    parks()
    assert parks(brief_id="b2").reason == "busy"
    assert server.submits == 1
