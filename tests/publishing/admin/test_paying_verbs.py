"""Regenerate and use the paid answer in the admin: costs first, a reason, once, or not at all."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from publishing.models import Bucket, Call, Cap, Regeneration
from publishing.stages.generate import GenerateOptions, worst_case
from tests.publishing.admin.conftest import person, signed_in
from tests.publishing.regenerating import NOW, THEN, finished_brief, park, waiting_with_paid_answer
from tests.publishing.spending import call_row
from workflows.models import Instance, LogEntry, Reason, Status

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("caps", "key")]
LIST = "/admin/workflows/instance/"


@pytest.fixture
def key(settings: Settings) -> None:
    """Let texts be paid for, and nothing else."""
    settings.ANTHROPIC_API_KEY = "sk-test"


def page(client: Client, instance: Instance, rest: str) -> str:
    return unescape(client.get(f"{LIST}{instance.pk}/{rest}").content.decode())


def post(client: Client, instance: Instance, verb: str, **typed: Any) -> str:
    answer = client.post(f"{LIST}{instance.pk}/{verb}/", typed, follow=True)
    return unescape(answer.content.decode())


def form_of(client: Client, instance: Instance, entry: str) -> dict[str, Any]:
    form = client.get(f"{LIST}{instance.pk}/regenerate/?entry={entry}").context["form"]
    return {name: form[name].value() for name in form.fields if form[name].value() is not None}


def cells(found: str) -> list[str]:
    return [" ".join(re.sub("<[^>]+>", " ", each).split()) for each in re.findall(
        r"<t[hd][^>]*>(.*?)</t[hd]>", found, re.DOTALL)]  # fmt: skip


def test_it_asks_first_where_to_begin_with_what_each_place_costs(operator: Client) -> None:
    instance = finished_brief()
    call_row("b1", lane="paper", cost_micros=12_000)
    most = f"${worst_case(GenerateOptions()) / 1_000_000:f}".rstrip("0")
    found = cells(page(operator, instance, "regenerate/"))
    assert found[-22:] == [
        "validate", "generate", "$0.012", most,
        "ground", "generate", "$0.012", most,
        "generate", "generate", "$0.012", most,
        "clean", "nothing", "$0", "$0",
        "persist", "nothing", "$0", "$0",
        "The brief’s cap has left", "$2.00",
    ]  # fmt: skip
    assert not Regeneration.objects.exists()


def test_the_confirmation_names_both_bundle_versions_and_what_the_cap_has_left(
    operator: Client,
) -> None:
    instance = finished_brief()
    Bucket.objects.create(key="brief:b1", cap_micros=2_000_000, spent_micros=250_000)
    found = page(operator, instance, "regenerate/?entry=generate")
    assert "the same: version 1" in found
    assert "the lane's current one: version 2" in found
    assert cells(found)[-2:] == ["", "$1.75"]
    most = f"{worst_case(GenerateOptions()) / 1_000_000:f}".rstrip("0")
    assert f'value="Regenerate for at most ${most}"' in found
    assert 'name="bundle"' not in page(operator, instance, "regenerate/?entry=persist").replace(
        '<input type="hidden" name="bundle"', ""
    )


def test_it_pays_again_once_under_the_chosen_bundle_however_often_it_is_clicked(
    operator: Client,
) -> None:
    instance = finished_brief()
    typed = form_of(operator, instance, "generate") | {"bundle": "current", "why": "too long"}
    first = post(operator, instance, "regenerate", **typed)
    again = post(operator, instance, "regenerate", **typed)
    assert "Now publish-b1 pays again from generate on, as generation 2." in first
    assert "was restarted meanwhile: it is in generation 2" in again
    made = Regeneration.objects.get()
    assert (made.entry, made.number, made.bundle, made.actor, made.why) == (
        "generate", 2, 2, "olga", "too long",
    )  # fmt: skip
    row = Instance.objects.get(pk=instance.pk)
    assert (row.generation, row.position, row.status) == (2, 2, Status.QUEUED)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"why": " "}, "This field is required."),
        ({"bundle": "other"}, "other is not one of the available choices"),
        ({"entry": "nowhere"}, "nowhere"),
        ({"generation": "7"}, "it is in generation 1"),
    ],
)
def test_what_does_not_fit_changes_nothing(
    operator: Client, change: dict[str, str], told: str
) -> None:
    instance = finished_brief()
    typed = form_of(operator, instance, "generate") | {"why": "too long"} | change
    assert told in post(operator, instance, "regenerate", **typed)
    assert not Regeneration.objects.exists()
    assert Instance.objects.get(pk=instance.pk).generation == 1


def test_more_than_the_brief_has_left_is_said_before_and_refused_after(operator: Client) -> None:
    instance = finished_brief()
    Cap.objects.filter(scope="brief").update(cap_micros=100_000)
    typed = form_of(operator, instance, "generate") | {"why": "too long"}
    assert "more than the brief’s cap has left" in page(
        operator, instance, "regenerate/?entry=generate"
    )
    assert "its brief's cap has 100000 left" in post(operator, instance, "regenerate", **typed)
    assert not Regeneration.objects.exists()


def test_it_is_offered_for_a_brief_that_has_begun_to_operators_only() -> None:
    instance = finished_brief()
    reader = signed_in(person("rita", "workflows.view_instance"))
    assert "/regenerate/" not in page(reader, instance, "change/")
    assert reader.get(f"{LIST}{instance.pk}/regenerate/").status_code == 403
    operator = signed_in(person("otto", "workflows.change_instance"))
    assert f"{LIST}{instance.pk}/regenerate/" in page(operator, instance, "change/")
    Instance.objects.update(position=0, status=Status.QUEUED)
    assert f"{LIST}{instance.pk}/regenerate/" not in page(operator, instance, "change/")


def test_the_paid_answer_is_shown_with_both_requests_and_used_once(operator: Client) -> None:
    instance, call = waiting_with_paid_answer()
    found = page(operator, instance, "use-paid-answer/")
    assert "$0.007" in found
    assert THEN[:12] in found
    assert NOW[:12] in found
    assert "expected $0.007, at most" in found
    typed = {"request_hash": NOW, "why": "a date changed"}
    done = post(operator, instance, "use-paid-answer", **typed)
    assert "Now generate of publish-b1 goes on with the answer that is paid." in done
    again = post(operator, instance, "use-paid-answer", **typed)
    assert "does not wait with an answer that was paid for another request" in again
    assert Call.objects.get(pk=call.pk).request_hash == NOW
    assert Instance.objects.get(pk=instance.pk).due_at is not None
    assert LogEntry.objects.get(actor="olga").why == "use-paid-answer a date changed"


def test_another_request_than_the_one_that_was_shown_is_refused(operator: Client) -> None:
    instance, call = waiting_with_paid_answer()
    park(instance, {"call": call.pk, "request_hash": "c" * 64})
    done = post(operator, instance, "use-paid-answer", request_hash=NOW, why="")
    assert "waits with another request by now (cccccccccccc)" in done
    assert Call.objects.get(pk=call.pk).request_hash == THEN
    assert Instance.objects.get(pk=instance.pk).due_at is None


@pytest.mark.parametrize("verb", ["retry", "restart", "replace-output"])
def test_a_verb_that_would_pay_says_what_before_it_is_confirmed(
    operator: Client, verb: str
) -> None:
    call_row("b0", lane="paper", cost_micros=7_000)
    instance = finished_brief()
    park(instance, {"asked_micros": 1}, reason=Reason.BUDGET)
    most = f"${worst_case(GenerateOptions()) / 1_000_000:f}".rstrip("0")
    found = cells(page(operator, instance, f"{verb}/"))
    assert found[found.index("May pay") :] == [
        "May pay", "Expected", "At most",
        "generate", "$0.007", most,
        "Together", "$0.007", most,
        "The brief’s cap has left", "", "$2.00",
    ]  # fmt: skip


def test_many_say_together_what_those_without_a_stored_answer_would_pay(operator: Client) -> None:
    rows = [finished_brief(key) for key in ("b1", "b2", "b3")]
    for row in rows:
        park(row, {}, reason=Reason.BUDGET)
    call_row("b1", lane="paper", cost_micros=7_000, answer={"content": []})
    most = f"${3 * worst_case(GenerateOptions()) / 1_000_000:f}".rstrip("0")
    data = {"action": "retry_selected", "_selected_action": [row.pk for row in rows]}
    asked = cells(unescape(operator.post(LIST, data).content.decode()))
    at = asked.index("May pay")
    assert asked[at : at + 9] == [
        "May pay", "Expected", "At most", "generate", "$0.014", most, "Together", "$0.014", most,
    ]  # fmt: skip
