"""Money: no answer is paid for twice, and each outcome closes its hold as it must."""

import threading
from typing import Any

import pytest
from django.db import transaction

from publishing import ledger
from publishing.ledger.prices import worst_case
from publishing.models import Call
from tests.publishing.anthropic_server import (
    AnthropicServer,
    Script,
    answers,
    answers_raw,
    cuts,
    drops,
    fails,
    hangs,
    holds,
    message,
    redirects,
    trickles,
)
from tests.publishing.paying import COST, HOLD, at_once, books, call_for, everywhere
from workflows.errors import NonRetryableError, Park, RetryableError

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("caps")]


def test_a_settled_answer_is_served_again_and_never_paid_for_again(
    anthropic_server: AnthropicServer,
) -> None:
    first = ledger.pay(call_for())
    second = ledger.pay(call_for())
    assert (first.is_memo, first.cost_micros) == (False, COST)
    assert (second.is_memo, second.cost_micros) == (True, COST)
    assert second.body == first.body == message()
    assert len(anthropic_server.requests) == 1
    stored = Call.objects.get()
    assert (stored.state, stored.served, stored.held_micros) == ("settled", 1, HOLD)
    assert (stored.request_id, stored.price_version) == ("req_1", "v1")
    assert books() == everywhere(0, COST)


def test_another_request_under_a_paid_key_waits_for_an_operator_and_pays_nothing(
    anthropic_server: AnthropicServer,
) -> None:
    paid = ledger.pay(call_for())
    with pytest.raises(Park) as parked:
        ledger.pay(call_for(text="write, please"))
    assert parked.value.reason == "operator"
    assert parked.value.data == {
        "call": paid.call,
        "paid_micros": COST,
        "asked_micros": worst_case(call_for(text="write, please").request),
        "request_hash": call_for(text="write, please").request_hash,
        "choices": ["use-paid-answer", "regenerate", "retry", "terminate"],
    }
    assert len(anthropic_server.requests) == 1
    assert books() == everywhere(0, COST)


@pytest.mark.parametrize("changed", [{"regeneration": 1}, {"label": "head"}, {"entry": "again"}])
def test_another_key_is_another_call(
    anthropic_server: AnthropicServer, changed: dict[str, Any]
) -> None:
    ledger.pay(call_for())
    assert not ledger.pay(call_for(**changed)).is_memo
    assert len(anthropic_server.requests) == 2


def test_a_key_asked_for_by_sixteen_threads_at_once_sends_one_request(
    anthropic_server: AnthropicServer,
) -> None:
    anthropic_server.script = holds()
    waiting = threading.Semaphore(0)

    def ask(number: int) -> object:
        try:
            return ledger.pay(call_for())
        except Park as parked:
            waiting.release()
            return parked

    def let_go() -> None:
        for _ in range(15):
            waiting.acquire()
        anthropic_server.go_on.set()

    releasing = threading.Thread(target=let_go)
    releasing.start()
    results = at_once(16, ask)
    releasing.join()
    parks = [result for result in results if isinstance(result, Park)]
    assert [parked.reason for parked in parks] == ["call"] * 15
    lease = Call.objects.get().lease_until
    assert all(parked.until is not None and parked.until <= lease for parked in parks)
    assert len(anthropic_server.requests) == 1
    assert ledger.pay(call_for()).is_memo
    assert books() == everywhere(0, COST)


def test_what_postgres_cannot_store_of_an_answer_does_not_cost_the_answer(
    anthropic_server: AnthropicServer,
) -> None:
    anthropic_server.script = answers("a\x00b\ud800c")
    ledger.pay(call_for())
    assert ledger.pay(call_for()).body["content"][0]["text"] == "a\ufffdb\ufffdc"
    assert len(anthropic_server.requests) == 1


def test_an_answer_without_usage_is_kept_and_counted_in_full(
    anthropic_server: AnthropicServer,
) -> None:
    anthropic_server.script = answers(usage={"input_tokens": None, "output_tokens": 5})
    assert ledger.pay(call_for()).cost_micros == HOLD
    assert Call.objects.get().state == "settled"
    assert books() == everywhere(0, HOLD)


def test_a_bill_above_its_hold_is_booked_as_it_is_and_reported(
    anthropic_server: AnthropicServer, caplog: pytest.LogCaptureFixture
) -> None:
    anthropic_server.script = answers(usage={"input_tokens": 90_000, "output_tokens": 1_000})
    assert ledger.pay(call_for()).cost_micros == 190_000
    assert "more than its hold" in caplog.text
    assert books() == everywhere(0, 190_000)


RELEASED, UNKNOWN = ("released", 0), ("unknown", HOLD)


@pytest.mark.parametrize(
    ("script", "error", "closed"),
    [
        pytest.param(fails(400, "invalid_request_error"), NonRetryableError, RELEASED, id="400"),
        pytest.param(fails(401, "authentication_error"), NonRetryableError, RELEASED, id="401"),
        pytest.param(fails(402, "billing_error"), NonRetryableError, RELEASED, id="402"),
        pytest.param(fails(403, "permission_error"), NonRetryableError, RELEASED, id="403"),
        pytest.param(fails(404, "not_found_error"), NonRetryableError, RELEASED, id="404"),
        pytest.param(fails(413, "request_too_large"), NonRetryableError, RELEASED, id="413"),
        pytest.param(fails(422), NonRetryableError, RELEASED, id="422"),
        pytest.param(
            fails(429, "rate_limit_error", code="enforced_spend_limit_reached"),
            NonRetryableError,
            RELEASED,
            id="429 spend limit",
        ),
        pytest.param(redirects("/v1/elsewhere"), NonRetryableError, RELEASED, id="307"),
        pytest.param(fails(429, "rate_limit_error"), RetryableError, RELEASED, id="429"),
        pytest.param(fails(529, "overloaded_error"), RetryableError, RELEASED, id="529"),
        pytest.param(fails(408), RetryableError, UNKNOWN, id="408"),
        pytest.param(fails(409), RetryableError, UNKNOWN, id="409"),
        pytest.param(fails(500), RetryableError, UNKNOWN, id="500"),
        pytest.param(fails(502), RetryableError, UNKNOWN, id="502"),
        pytest.param(fails(503), RetryableError, UNKNOWN, id="503"),
        pytest.param(fails(504), RetryableError, UNKNOWN, id="504"),
        pytest.param(drops, RetryableError, UNKNOWN, id="reset"),
        pytest.param(cuts, RetryableError, UNKNOWN, id="cut"),
        pytest.param(answers_raw("{"), RetryableError, UNKNOWN, id="no JSON"),
        pytest.param(answers_raw("[]"), RetryableError, UNKNOWN, id="no object"),
    ],
)
def test_each_outcome_closes_the_hold_as_it_must_after_one_request(
    anthropic_server: AnthropicServer,
    script: Script,
    error: type[Exception],
    closed: tuple[str, int],
) -> None:
    anthropic_server.script = script
    with pytest.raises(error):
        ledger.pay(call_for())
    assert len(anthropic_server.requests) == 1
    stored = Call.objects.get()
    assert (stored.state, stored.cost_micros) == closed
    assert stored.outcome
    assert stored.closed_at is not None
    assert books() == everywhere(0, closed[1])


@pytest.mark.parametrize("script", [hangs, trickles])
def test_a_call_past_its_deadline_is_closed_and_spent_in_full(
    anthropic_server: AnthropicServer, script: Script
) -> None:
    anthropic_server.script = script
    with pytest.raises(RetryableError):
        ledger.pay(call_for(seconds=1.5))
    assert len(anthropic_server.requests) == 1
    assert Call.objects.get().state == "unknown"
    assert books() == everywhere(0, HOLD)


def test_nobody_listening_costs_nothing(anthropic_server: AnthropicServer, settings: Any) -> None:
    settings.ANTHROPIC_BASE_URL = "http://127.0.0.1:9"
    with pytest.raises(RetryableError):
        ledger.pay(call_for())
    assert Call.objects.get().state == "released"
    assert books() == everywhere(0, 0)


def test_what_ends_the_process_within_a_call_spends_its_hold(
    anthropic_server: AnthropicServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("publishing.providers.text.read_reply", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ledger.pay(call_for())
    assert Call.objects.get().state == "unknown"
    assert books() == everywhere(0, HOLD)


def test_refused_sends_are_not_counted_as_lost(anthropic_server: AnthropicServer) -> None:
    anthropic_server.script = fails(529, "overloaded_error")
    for _ in range(5):
        with pytest.raises(RetryableError):
            ledger.pay(call_for())
    anthropic_server.script = answers()
    assert ledger.pay(call_for()).cost_micros == COST


def test_after_three_lost_answers_a_key_waits_for_an_operator(
    anthropic_server: AnthropicServer,
) -> None:
    anthropic_server.script = drops
    for _ in range(3):
        with pytest.raises(RetryableError):
            ledger.pay(call_for())
    with pytest.raises(Park) as parked:
        ledger.pay(call_for())
    assert parked.value.reason == "operator"
    assert parked.value.data["lost_sends"] == 3
    assert parked.value.data["spent_micros"] == 3 * HOLD
    assert len(anthropic_server.requests) == 3
    assert Call.objects.filter(state="held").count() == 0
    assert books() == everywhere(0, 3 * HOLD)


def test_a_model_without_a_price_is_refused(anthropic_server: AnthropicServer) -> None:
    request = dict(call_for().request) | {"model": "claude-sonnet-5-5-latest"}
    with pytest.raises(ledger.UnknownPriceError):
        ledger.pay(call_for(request=request))
    assert (Call.objects.count(), anthropic_server.requests) == (0, [])


@pytest.mark.parametrize(
    "strange", [{"tools": []}, {"speed": "fast"}, {"stream": True}, {"max_tokens": 0}]
)
def test_a_request_whose_cost_has_no_bound_is_refused(
    anthropic_server: AnthropicServer, strange: dict[str, Any]
) -> None:
    with pytest.raises(NonRetryableError):
        ledger.pay(call_for(request=dict(call_for().request) | strange))
    assert (Call.objects.count(), anthropic_server.requests) == (0, [])


def test_the_ledger_refuses_to_be_entered_within_a_transaction(
    anthropic_server: AnthropicServer,
) -> None:
    with transaction.atomic(), pytest.raises(ledger.OpenTransactionError):
        ledger.pay(call_for())
    assert (Call.objects.count(), anthropic_server.requests) == (0, [])


def test_a_call_without_time_left_is_not_sent(anthropic_server: AnthropicServer) -> None:
    with pytest.raises(RetryableError):
        ledger.pay(call_for(seconds=0))
    assert (Call.objects.count(), anthropic_server.requests) == (0, [])
