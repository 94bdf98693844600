"""A bill above its hold blocks its model; a paid answer is used though its request changed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from publishing import ledger
from publishing.ledger.settle import lose, settle
from publishing.models import BlockedModel, Call
from publishing.paid_answers import use_paid_answer
from publishing.providers.attempts import Reply
from tests.publishing.anthropic_server import AnthropicServer, answers, message
from tests.publishing.paying import COST, HOLD, MODEL, call_for, hold_open
from tests.trial.stages import ENTRIES
from workflows.dispatch import create_instance
from workflows.errors import Park, VerbRefusedError
from workflows.graphs import store_graph
from workflows.models import Instance, LogEntry, Status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("caps")]

LIE = {"input_tokens": 90_000, "output_tokens": 1_000}


def test_a_bill_above_its_hold_blocks_the_model_until_an_operator_clears_it(
    anthropic_server: AnthropicServer,
) -> None:
    anthropic_server.script = answers(usage=LIE)
    dear = ledger.pay(call_for())
    anthropic_server.script = answers()
    with pytest.raises(Park) as parked:
        ledger.pay(call_for("b2"))
    assert (parked.value.reason, parked.value.until) == ("operator", None)
    assert f"call {dear.call} was billed more" in str(parked.value)
    assert parked.value.data == {
        "model": MODEL,
        "call": dear.call,
        "choices": ["retry", "terminate"],
    }
    assert Call.objects.count() == len(anthropic_server.requests) == 1
    assert ledger.pay(call_for()).is_memo
    BlockedModel.objects.all().delete()
    assert not ledger.pay(call_for("b2")).is_memo


def test_another_model_goes_on(anthropic_server: AnthropicServer) -> None:
    anthropic_server.script = answers(usage=LIE)
    ledger.pay(call_for())
    anthropic_server.script = answers()
    request = dict(call_for().request) | {"model": "claude-haiku-5-5"}
    assert not ledger.pay(call_for("b2", request=request)).is_memo


def test_a_late_bill_above_its_hold_is_booked_in_full_and_blocks(
    anthropic_server: AnthropicServer,
) -> None:
    left = hold_open(call_for())
    lose(left.pk, "taken for dead")
    reply = Reply(answer=message(), usage=LIE, request_id="req_late")
    assert settle(left.pk, reply, cost_micros=HOLD + 5) is False
    assert settle(left.pk, reply, cost_micros=HOLD + 9) is False
    left.refresh_from_db()
    assert (left.state, left.cost_micros) == ("unknown", HOLD + 5)
    assert BlockedModel.objects.get().call_id == left.pk
    with pytest.raises(Park):
        ledger.pay(call_for("b2"))
    assert anthropic_server.requests == []


def waiting_with(parked: Park) -> Instance:
    """Return an instance that stands as the runner leaves one whose step parked so."""
    graph = store_graph(ENTRIES, workflow="trial")
    pk = create_instance(
        workflow="trial", key="b1", partition="p", graph=graph.pk, envelope={}, trigger="command"
    )
    error: dict[str, Any] = {"type": "Park", "message": str(parked), "data": parked.data}
    Instance.objects.filter(pk=pk).update(
        status=Status.WAITING,
        reason=parked.reason,
        due_at=None,
        error=error,
        started_at=datetime.now(UTC),
    )
    return Instance.objects.get(pk=pk)


def test_the_paid_answer_is_used_for_the_changed_request_once_a_person_says_so(
    anthropic_server: AnthropicServer,
) -> None:
    paid = ledger.pay(call_for())
    with pytest.raises(Park) as parked:
        ledger.pay(call_for(text="write, please"))
    instance = waiting_with(parked.value)
    assert use_paid_answer("trial-b1", actor="ann", why="the page only changed its date")
    served = ledger.pay(call_for(text="write, please"))
    assert (served.is_memo, served.call, served.cost_micros) == (True, paid.call, COST)
    with pytest.raises(Park):
        ledger.pay(call_for(text="write another"))
    assert len(anthropic_server.requests) == 1
    instance.refresh_from_db()
    assert instance.due_at is not None
    stored = Call.objects.get()
    assert stored.outcome == (
        "accepted by ann for a changed request: the page only changed its date "
        f"(sent as {call_for().request_hash})"
    )
    assert LogEntry.objects.get(actor="ann").kind == "retry"


def test_where_no_paid_answer_waits_nothing_is_accepted(
    anthropic_server: AnthropicServer,
) -> None:
    ledger.pay(call_for())
    instance = waiting_with(Park("operator", "for another reason", data={"call": 1}))
    with pytest.raises(VerbRefusedError):
        use_paid_answer("trial-b1", actor="ann")
    instance.refresh_from_db()
    assert instance.due_at is None
    assert Call.objects.get().request_hash == call_for().request_hash
