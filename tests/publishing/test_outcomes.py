"""Every way in which a paid provider can answer, at every step that pays one: the whole table.

A row names the answer, what the ledger keeps, how the instance stands after it, and where it ends
if the provider goes on like that. A real brief runs through the real engine; the provider is a
server on this machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from lanes.models import Bundle, Lane
from lanes.selection import compile_entries
from publishing.intake.submit import Sender, submit_brief
from publishing.ledger import door
from publishing.models import BlockedModel, Call, Cap
from publishing.stages import cover, generate, index
from tests.publishing.anthropic_server import (
    AnthropicServer,
    Exchange,
    Script,
    answers,
    cuts,
    drops,
    hangs,
    redirects,
    serve_anthropic,
    trickles,
)
from tests.publishing.auditing import assert_ledger_adds_up
from tests.publishing.vendors import VENDORS, Vendor, says
from workflows import verbs
from workflows.graphs import store_graph
from workflows.models import Attempt, Instance, Status
from workflows.testing import GraphRun, run_instance

pytestmark = pytest.mark.django_db(transaction=True)

NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there
TRIES = 6  # of each of the three steps' policies

HELD, COST, NOTHING = "what was held", "what it cost", "nothing"


@dataclass(frozen=True)
class Outcome:
    """What an answer leads to.

    Attributes:
        call: the state in which the ledger closes the call, and what it counts.
        first: the instance after it: status, and what it waits for.
        last: the instance in the end, if every further answer is the same.
        sent: requests until then.
    """

    call: tuple[str, str]
    first: tuple[Status, str | None]
    last: tuple[Status, str | None]
    sent: int


_RETRY = (Status.WAITING, "retry")
_ERRORED = (Status.ERRORED, None)
_COMPLETE = (Status.COMPLETE, None)

LOST = Outcome(("unknown", HELD), _RETRY, (Status.WAITING, "operator"), sent=3)
LATER = Outcome(("released", NOTHING), _RETRY, _ERRORED, sent=TRIES)
NEVER_SENT = Outcome(("released", NOTHING), _RETRY, _ERRORED, sent=0)
REFUSED = Outcome(("released", NOTHING), _ERRORED, _ERRORED, sent=1)
PAID = Outcome(("settled", COST), _COMPLETE, _COMPLETE, sent=1)
IN_FULL = Outcome(("settled", HELD), _COMPLETE, _COMPLETE, sent=1)
USELESS = Outcome(("settled", COST), _ERRORED, _ERRORED, sent=1)
USELESS_IN_FULL = Outcome(("settled", HELD), _ERRORED, _ERRORED, sent=1)


def floods(exchange: Exchange) -> None:
    """Send without end, as fast as the reader takes it."""
    exchange.handler.send_response(200)
    exchange.handler.end_headers()
    exchange.handler.close_connection = True
    while not exchange.server.go_on.is_set():
        exchange.handler.wfile.write(b" " * 1_000_000)


def closes(exchange: Exchange) -> None:
    """End the connection without a word, as a server that is stopped does."""
    exchange.handler.close_connection = True


TABLE: dict[str, tuple[Script, Outcome]] = {
    "hangs": (hangs, LOST),
    "trickles": (trickles, LOST),
    "resets before the answer": (drops, LOST),
    "closes before the answer": (closes, LOST),
    "cuts inside the answer": (cuts, LOST),
    "streams without end": (floods, LOST),
    "400": (says(400), REFUSED),
    "401": (says(401), REFUSED),
    "403": (says(403), REFUSED),
    "404": (says(404), REFUSED),
    "409": (says(409), LOST),
    "413": (says(413), REFUSED),
    "429": (says(429), LATER),
    "500": (says(500), LOST),
    "503": (says(503), LOST),
    "529": (says(529), LATER),
    "redirects": (redirects("/elsewhere"), REFUSED),
    "no JSON": (says(200, "<html>"), LOST),
    "JSON without bottom": (says(200, "[" * 100_000), LOST),
    "no object": (says(200, [1]), LOST),
    "an empty object": (says(200, {}), USELESS_IN_FULL),
    "an object nested deeply": (says(200, '{"a":' * 600 + "1" + "}" * 600), USELESS_IN_FULL),
}


@dataclass
class House:
    """A paid step at the end of a real graph, and the provider's server."""

    vendor: Vendor
    server: AnthropicServer
    lane: Lane

    def order(self, brief_id: str = "b1") -> int:
        """Take a brief in, whose instance ends with the paid step; return the instance."""
        body = {"brief_id": brief_id, "lane": "news", "title": "Clocks", "summary": brief_id}
        taken = submit_brief(body, Sender(trigger="command", lanes=frozenset({"news"})))
        entries = compile_entries(self.lane)
        names = [entry["step"] for entry in entries[:7]]
        until = names.index(self.vendor.entry) + 1
        graph = store_graph(entries[:until], workflow="publish")
        Instance.objects.filter(pk=taken.brief.instance_id).update(graph=graph)
        return int(taken.brief.instance_id)

    def expect(self, call: tuple[str, str], *, cost_micros: int | None = None) -> None:
        """Assert that every call was closed so, and that the books agree."""
        state, counted = call
        cost = self.vendor.cost_micros if cost_micros is None else cost_micros
        for row in Call.objects.all():
            micros = {HELD: row.held_micros, COST: cost, NOTHING: 0}[counted]
            assert (row.state, row.cost_micros) == (state, micros), row.outcome
        assert_ledger_adds_up(requests=len(self.server.requests))


@pytest.fixture(params=VENDORS)
def house(
    request: pytest.FixtureRequest,
    caps: dict[str, Cap],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[House]:
    """Have one provider's keys set; what hangs is given up after a third of a second."""
    vendor = VENDORS[request.param]
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "publishing.providers.objects.ContentAddressedFileStorage",
            "OPTIONS": {"location": tmp_path, "base_url": "/media/"},
        }
    }
    for name, value in vendor.settings.items():
        setattr(settings, name, value)
    lane = Lane.objects.create(name="news", title="News", hue=1, place=1)
    lane.bundle = Bundle.objects.create(lane=lane, version=1, voice="v", audience="a")
    lane.save()
    with serve_anthropic(vendor.answers) as server:
        setattr(settings, vendor.base_url, server.url)
        yield House(vendor, server, lane)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up what hangs after a third of a second."""
    for stage in (generate, index, cover):
        monkeypatch.setattr(stage, "CALL_TIMEOUT", timedelta(seconds=0.35))
    monkeypatch.setattr(door, "_LEAST_TIME", timedelta(seconds=0.05))


def stand(ran: GraphRun) -> tuple[Status, str | None]:
    return ran.status, ran.reason


def check(house: House, outcome: Outcome, *, delay: float | None = None) -> None:
    """Run a brief until it waits, then to its end; compare with what is expected."""
    instance = house.order()
    first = run_instance(instance, skip_sleeps=False)
    assert stand(first) == outcome.first, first.error
    house.expect(outcome.call)
    assert Call.objects.count() == 1
    assert len(house.server.requests) == min(1, outcome.sent)
    if first.reason == "retry":
        check_due(first, delay or house.vendor.delay, is_exact=delay is not None)
    last = run_instance(instance)
    assert stand(last) == outcome.last, last.error
    house.expect(outcome.call)
    assert len(house.server.requests) == outcome.sent
    assert Call.objects.count() == (outcome.sent or TRIES)


def check_due(ran: GraphRun, delay: float, *, is_exact: bool) -> None:
    """Assert that the next try is when the step's policy, or the provider, has it."""
    attempt = Attempt.objects.get(instance=ran.instance)
    assert ran.instance.due_at is not None
    wait = (ran.instance.due_at - attempt.finished_at).total_seconds()
    assert delay <= round(wait, 2) <= (delay if is_exact else delay * 1.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("script", [hangs, trickles])
def test_what_never_ends_is_given_up_and_counts_in_full(house: House, script: Script) -> None:
    house.server.script = script
    check(house, LOST)


PROMPT = {row: found for row, found in TABLE.items() if found[0] not in (hangs, trickles)}


@pytest.mark.parametrize("row", PROMPT)
def test_each_answer_closes_its_call_and_leaves_the_instance_as_the_table_says(
    house: House, row: str
) -> None:
    house.server.script, outcome = PROMPT[row]
    check(house, outcome)


def test_a_good_answer_is_paid_once(house: House) -> None:
    check(house, PAID)


def test_a_provider_that_cannot_be_reached_costs_nothing(house: House, settings: Settings) -> None:
    setattr(settings, house.vendor.base_url, NOBODY)
    check(house, NEVER_SENT)


@pytest.mark.parametrize("status", [429, 529])
def test_a_wait_that_the_provider_names_is_kept_to_the_second(house: House, status: int) -> None:
    house.server.script = says(status, retry_after="77")
    check(house, LATER, delay=77)


def test_a_spend_limit_of_the_account_stops_at_once(house: House) -> None:
    house.server.script = house.vendor.spend_limit
    check(house, REFUSED)


@pytest.mark.parametrize("lie", ["none", "negative", "absurd", "infinite"])
def test_a_usage_that_cannot_be_read_counts_in_full(house: House, lie: str) -> None:
    script = house.vendor.lies.get(lie)
    house.server.script = script or house.vendor.answers
    is_by_the_image = house.vendor is VENDORS["workers-ai"]
    check(house, PAID if is_by_the_image else IN_FULL)


def test_a_bill_above_its_hold_is_booked_as_it_is_and_stops_the_model(house: House) -> None:
    dear = house.vendor.lies.get("above")
    house.server.script = dear or house.vendor.answers
    ran = run_instance(house.order())
    assert ran.status == Status.COMPLETE
    call = Call.objects.get()
    is_above = (call.cost_micros or 0) > call.held_micros
    assert is_above is (dear is not None)
    house.expect(("settled", COST), cost_micros=call.cost_micros)
    assert set(BlockedModel.objects.values_list("model", flat=True)) == (
        {house.vendor.model} if is_above else set()
    )

    again = run_instance(house.order("b2"))
    assert stand(again) == ((Status.WAITING, "operator") if is_above else _COMPLETE)
    assert len(house.server.requests) == (1 if is_above else 2)
    assert_ledger_adds_up(requests=len(house.server.requests))


def test_an_answer_that_cannot_be_used_is_shown_and_a_retry_pays_nothing(house: House) -> None:
    house.server.script = says(200, {"usage": {"input_tokens": 1_000, "output_tokens": 500}})
    ran = run_instance(house.order())
    assert stand(ran) == _ERRORED
    assert "paid once" in ran.error["message"]
    verbs.retry(str(ran.instance.instance_id), actor="ann")
    again = run_instance(ran.instance.pk)
    assert (stand(again), again.error) == (_ERRORED, ran.error)
    assert (Call.objects.get().state, Call.objects.get().served) == ("settled", 1)
    assert len(house.server.requests) == 1
    assert_ledger_adds_up(requests=1)


@pytest.mark.parametrize("house", ["text"], indirect=True)
@pytest.mark.parametrize("stop_reason", ["refusal", "max_tokens"])
def test_a_text_that_is_refused_or_cut_off_is_settled_and_not_asked_for_again(
    house: House, stop_reason: str
) -> None:
    house.server.script = answers(stop_reason=stop_reason)
    check(house, USELESS)
