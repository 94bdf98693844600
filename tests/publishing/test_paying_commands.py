"""`manage.py instances` about money: costs are said before, asked, and written as fields."""

import io

import pytest
from pytest_django import Settings

from publishing.models import Call, Regeneration
from publishing.stages.generate import GenerateOptions, worst_case
from tests.publishing.regenerating import (
    ID,
    NOW,
    THEN,
    finished_brief,
    park,
    waiting_with_paid_answer,
)
from tests.publishing.spending import call_row
from tests.workflows.command_line import instances
from workflows.models import BulkOperation, Instance, LogEntry, Reason, Status

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("caps", "key", "no_terminal")]
SIGNED = ("--why", "too long", "--actor", "ann")


@pytest.fixture
def key(settings: Settings) -> None:
    """Let texts be paid for, and nothing else."""
    settings.ANTHROPIC_API_KEY = "sk-test"


@pytest.fixture
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody there to be asked."""
    monkeypatch.setattr("sys.stdin", io.StringIO())


def most(number: int = 1) -> int:
    return number * worst_case(GenerateOptions())


def waiting_for_budget(*keys: str) -> None:
    for key in keys:
        park(finished_brief(key), {"asked_micros": 1}, reason=Reason.BUDGET)


def test_regenerate_writes_what_it_may_cost_and_pays_again() -> None:
    finished_brief()
    call_row("b1", lane="paper", cost_micros=12_000)
    ran = instances(
        "regenerate", ID, "--from", "generate", "--bundle", "current", *SIGNED, "--yes", "--json"
    )
    one = {"expected_micros": 12_000, "worst_micros": most()}
    assert ran.json == {
        "instance_id": ID,
        "regeneration": 2,
        **one,
        "entries": {"generate": one | {"is_paid_already": False}},
        "left_micros": 2_000_000,
    }
    assert "at most $0.728005; the brief's cap has $2.00 left" in ran.err
    made = Regeneration.objects.get()
    assert (made.bundle, made.actor, made.why) == (2, "ann", "too long")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (SIGNED, "There is no terminal to ask: add --yes"),
        (("--yes",), "so say why"),
        ((*SIGNED, "--yes", "--from", "nowhere"), "nowhere"),
    ],
    ids=["nobody to ask", "no reason", "no such entry"],
)
def test_regenerate_is_refused_and_nothing_changes(words: tuple[str, ...], told: str) -> None:
    finished_brief()
    ran = instances("regenerate", ID, "--from", "generate", *words)
    assert (ran.code, told in ran.err) == (1, True)
    assert not Regeneration.objects.exists()
    assert Instance.objects.get().generation == 1


def test_the_paid_answer_is_shown_and_used() -> None:
    _, call = waiting_with_paid_answer()
    ran = instances("use-paid-answer", ID, *SIGNED, "--yes", "--json")
    assert ran.json == {
        "instance_id": ID,
        "call": call.pk,
        "key": "b1/generate/0/body",
        "paid_micros": 7_000,
        "paid_for_request": THEN,
        "used_for_request": NOW,
    }
    assert f"for request {THEN[:12]}; the step would now send {NOW[:12]}" in ran.err
    assert Call.objects.get().request_hash == NOW
    assert LogEntry.objects.get(actor="ann").why == "use-paid-answer too long"


def test_where_nobody_can_be_asked_the_paid_answer_is_not_used() -> None:
    waiting_with_paid_answer()
    assert instances("use-paid-answer", ID).code == 1
    Instance.objects.update(status=Status.PAUSED)
    assert "does not wait with an answer" in instances("use-paid-answer", ID, "--yes").err
    assert Call.objects.get().request_hash == THEN
    assert not LogEntry.objects.filter(kind="retry").exists()


@pytest.mark.parametrize("verb", [["retry"], ["restart", "--from", "generate"], ["restart"]])
def test_a_verb_that_may_pay_says_so_and_is_asked_about(verb: list[str]) -> None:
    waiting_for_budget("b1", "b2")
    call_row("b2", lane="paper", cost_micros=9_000, answer={"content": []})
    name, *more = verb
    unasked = instances(name, ID, "publish-b2", *more)
    assert unasked.code == 1
    assert unasked.err.startswith("May pay for generate: expected $0.009, at most $1.45601,")
    assert unasked.err.endswith(f"{name} 2 instances? There is no terminal to ask: add --yes")
    assert not Instance.objects.exclude(due_at=None).exists()

    done = instances(name, ID, "publish-b2", *more, "--yes", "--json")
    assert [each["result"] for each in done.json["results"]] == ["done", "done"]
    assert done.json["forecast"] == {
        "expected_micros": 9_000,
        "worst_micros": most(2),
        "entries": {
            "generate": {
                "expected_micros": 9_000, "worst_micros": most(2), "is_paid_already": False,
            }
        },
        "instances": 2,
        "troubles": [],
    }  # fmt: skip
    assert "May pay for generate" in done.err


def test_a_bulk_order_says_what_it_may_pay_too() -> None:
    waiting_for_budget("b1", "b2", "b3")
    words = ("retry", "--reason", "budget")
    assert "at most $2.184015" in instances(*words).err
    assert not BulkOperation.objects.exists()
    ordered = instances(*words, "--yes", "--json").json
    assert ordered["forecast"]["worst_micros"] == most(3)
    assert ordered["operation"]["total"] == 3


def test_a_verb_that_pays_for_nothing_is_done_at_once(settings: Settings) -> None:
    waiting_for_budget("b1")
    assert set(instances("pause", ID, "--json").json) == {"results"}
    settings.ANTHROPIC_API_KEY = ""
    resumed = instances("resume", ID, "--json")
    assert (set(resumed.json), resumed.err) == ({"results"}, "")


def test_a_restart_from_an_entry_after_the_paid_one_says_nothing_of_it() -> None:
    instance = finished_brief()
    assert instances("restart", ID, "--from", "clean", "--json").code == 0
    instance.refresh_from_db()
    assert instance.generation == 2
