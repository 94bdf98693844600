"""Money: no cap is crossed, no answer is paid for twice, no hold is lost from the books."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F

from publishing import ledger
from publishing.ledger import Answer, PaidCall
from publishing.ledger.prices import cost_of, estimate, worst_case
from publishing.ledger.settle import lose, settle
from publishing.models import Bucket, Call, Cap
from publishing.providers.attempts import Reply
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
from workflows.errors import NonRetryableError, Park, RetryableError
from workflows.models import Drain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("caps")]

MODEL = "claude-sonnet-5-5"
COST = 1_000 * 2 + 500 * 10  # micro-dollars of the server's usual answer


def call_for(
    brief_id: str = "b1", *, text: str = "write", seconds: float = 60, **fields: Any
) -> PaidCall:
    request = {
        "model": MODEL,
        "max_tokens": 1_000,
        "messages": [{"role": "user", "content": text}],
    }
    defaults: dict[str, Any] = {
        "provider": "text",
        "lane": "news",
        "entry": "generate",
        "label": "body",
        "request": request,
        "deadline": datetime.now(UTC) + timedelta(seconds=seconds),
    }
    return PaidCall(brief_id=brief_id, **(defaults | fields))


HOLD = worst_case(call_for().request)


def hold_open(call: PaidCall, *, drain: int | None = None, lapsed: bool = False) -> Call:
    """Leave a hold behind, as a worker does that is killed between reserve and settle."""
    from publishing.ledger.reserve import Hold, reserve

    found = reserve(call, HOLD, timedelta(seconds=60))
    assert isinstance(found, Hold)
    rows = Call.objects.filter(pk=found.call)
    rows.update(drain=drain)
    if lapsed:
        rows.update(lease_until=datetime.now(UTC) - timedelta(seconds=1))
    return rows.get()


def books() -> dict[str, tuple[int, int]]:
    """Return held and spent of each bucket, checked against the calls and the caps."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select b.key, b.held_micros, b.spent_micros, b.cap_micros,
                coalesce(sum(c.held_micros) filter (where c.state = 'held'), 0),
                coalesce(sum(c.cost_micros) filter (where c.state <> 'held'), 0)
            from publishing_bucket as b
            left join publishing_call as c on c.buckets ? b.key
            group by b.key
            """
        )
        rows = cursor.fetchall()
    for key, held, spent, cap, open_calls, closed_calls in rows:
        assert (held, spent) == (open_calls, closed_calls), key
        assert held + spent <= cap, key
    return {key.split(":")[0]: (held, spent) for key, held, spent, *_ in rows}


def at_once(count: int, act: Callable[[int], object]) -> list[object]:
    """Run `act` in threads that start together; return what each returned or raised."""
    barrier = threading.Barrier(count)

    def run(number: int) -> object:
        try:
            barrier.wait()
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(run, number) for number in range(count)]
    return [future.exception() or future.result() for future in futures]


# --- Paying once -----------------------------------------------------------------------------


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
    assert (stored.request_id, stored.price_version) == ("req_1", "2026-11-22")
    assert books() == {"brief": (0, COST), "day": (0, COST)}


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
        "regenerate_micros": worst_case(call_for(text="write, please").request),
        "choices": ["use the paid answer", "regenerate"],
    }
    assert len(anthropic_server.requests) == 1
    assert books() == {"brief": (0, COST), "day": (0, COST)}


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
    assert books() == {"brief": (0, COST), "day": (0, COST)}


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
    assert books() == {"brief": (0, HOLD), "day": (0, HOLD)}


def test_a_bill_above_its_hold_is_booked_as_it_is_and_reported(
    anthropic_server: AnthropicServer, caplog: pytest.LogCaptureFixture
) -> None:
    anthropic_server.script = answers(usage={"input_tokens": 90_000, "output_tokens": 1_000})
    assert ledger.pay(call_for()).cost_micros == 190_000
    assert "more than its hold" in caplog.text
    assert books() == {"brief": (0, 190_000), "day": (0, 190_000)}


# --- Outcomes --------------------------------------------------------------------------------

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
    assert books() == {"brief": (0, closed[1]), "day": (0, closed[1])}


@pytest.mark.parametrize("script", [hangs, trickles])
def test_a_call_past_its_deadline_is_closed_and_spent_in_full(
    anthropic_server: AnthropicServer, script: Script
) -> None:
    anthropic_server.script = script
    with pytest.raises(RetryableError):
        ledger.pay(call_for(seconds=1.5))
    assert len(anthropic_server.requests) == 1
    assert Call.objects.get().state == "unknown"
    assert books() == {"brief": (0, HOLD), "day": (0, HOLD)}


def test_nobody_listening_costs_nothing(anthropic_server: AnthropicServer, settings: Any) -> None:
    settings.ANTHROPIC_BASE_URL = "http://127.0.0.1:9"
    with pytest.raises(RetryableError):
        ledger.pay(call_for())
    assert Call.objects.get().state == "released"
    assert books() == {"brief": (0, 0), "day": (0, 0)}


def test_what_ends_the_process_within_a_call_spends_its_hold(
    anthropic_server: AnthropicServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("publishing.providers.text._read_reply", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ledger.pay(call_for())
    assert Call.objects.get().state == "unknown"
    assert books() == {"brief": (0, HOLD), "day": (0, HOLD)}


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
    assert books() == {"brief": (0, 3 * HOLD), "day": (0, 3 * HOLD)}


# --- Killed workers --------------------------------------------------------------------------


def test_the_hold_of_a_live_drain_is_waited_for(
    anthropic_server: AnthropicServer, drain: Drain
) -> None:
    left = hold_open(call_for(), drain=drain.pk)
    with pytest.raises(Park) as parked:
        ledger.pay(call_for())
    assert (parked.value.reason, parked.value.until) == ("call", left.lease_until)
    assert anthropic_server.requests == []
    assert books() == {"brief": (HOLD, 0), "day": (HOLD, 0)}


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
    assert books() == {"brief": (0, HOLD + COST), "day": (0, HOLD + COST)}


def test_a_hold_past_its_own_lease_is_spent_even_if_its_drain_lives(
    anthropic_server: AnthropicServer, drain: Drain
) -> None:
    hold_open(call_for(), drain=drain.pk, lapsed=True)
    assert not ledger.pay(call_for()).is_memo
    assert books() == {"brief": (0, HOLD + COST), "day": (0, HOLD + COST)}


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
    assert books() == {"brief": (0, HOLD + COST), "day": (0, HOLD + COST)}


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
    assert books() == {"brief": (0, HOLD), "day": (0, HOLD)}


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
    assert books() == {"brief": (0, HOLD), "day": (0, HOLD)}


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


# --- Caps ------------------------------------------------------------------------------------


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
    assert (parked.value.reason, parked.value.until) == ("budget", midnight)
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


# --- Refused before anything -----------------------------------------------------------------


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


# --- Prices ----------------------------------------------------------------------------------


def usage(**counts: int) -> dict[str, Any]:
    written_1h = counts.pop("written_1h", 0)
    written_5m = counts.pop("written_5m", 0)
    return {
        "input_tokens": counts.get("prompt", 0),
        "output_tokens": counts.get("answer", 0),
        "cache_read_input_tokens": counts.get("read", 0),
        "cache_creation_input_tokens": written_1h + written_5m,
        "cache_creation": {
            "ephemeral_1h_input_tokens": written_1h,
            "ephemeral_5m_input_tokens": written_5m,
        },
    }


@pytest.mark.parametrize(
    ("model", "counts", "micros"),
    [
        (MODEL, {"prompt": 1_000, "answer": 1_000}, 2_000 + 10_000),
        (MODEL, {"read": 1_000, "written_5m": 1_000, "written_1h": 1_000}, 100 + 2_500 + 4_000),
        (MODEL, {"prompt": 1, "answer": 1, "read": 1, "written_5m": 1}, 2 + 10 + 1 + 3),
        ("claude-haiku-5-5", {"prompt": 100_000, "answer": 1_000}, 10_000 + 500),
        ("claude-haiku-5-5", {"prompt": 100_001, "answer": 1_000}, 50_001 + 2_500),
        ("claude-haiku-5-5", {"prompt": 1, "read": 100_000}, 1 + 5_000),
    ],
)
def test_each_part_of_a_bill_has_its_own_rate_and_is_rounded_up(
    model: str, counts: dict[str, int], micros: int
) -> None:
    assert cost_of(model, usage(**counts)) == micros


def test_the_hold_covers_a_prompt_of_one_token_a_byte_written_to_the_cache() -> None:
    request = {
        "model": MODEL,
        "max_tokens": 700,
        "system": [{"type": "text", "text": "é" * 500, "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "x" * 3_000}],
    }
    bill = usage(written_1h=1_000 + 2_000, prompt=3_000, answer=700)
    cost = cost_of(MODEL, bill)
    assert cost is not None
    assert cost <= worst_case(request) < 1.2 * cost


def test_an_estimate_lies_below_the_worst_case() -> None:
    expected = estimate(MODEL, prompt_bytes=40_000, max_tokens=8_000)
    assert (expected.expected_micros, expected.worst_micros) == (45_000, 248_005)
