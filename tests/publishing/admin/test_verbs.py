"""The operators' verbs in the admin: offered where they apply, confirmed, done once, reported."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from publishing.admin.applying import APPLIES, verbs_for
from tests.publishing.admin.conftest import errored, person, signed_in
from workflows.dispatch import create_instance
from workflows.graphs import store_graph
from workflows.models import Event, Instance, LogEntry, Reason, Status, StepRecord

pytestmark = pytest.mark.django_db
LIST = "/admin/workflows/instance/"
OPEN = {"finished_at": None, "error": None}


def page_of(instance: Instance, rest: str = "change/") -> str:
    return f"{LIST}{instance.pk}/{rest}"


def row_of(instance: Instance) -> tuple[int, int, int, bool]:
    row = Instance.objects.get(pk=instance.pk)
    return row.status, row.generation, row.fence, row.pause_requested


def shown(client: Client, instance: Instance, rest: str = "change/") -> str:
    return client.get(page_of(instance, rest)).content.decode()


def waiting_for_approval(key: str = "w") -> Instance:
    entries = [{"step": "trial_first"}, {"wait": "approval"}, {"step": "trial_second"}]
    pk = create_instance(
        workflow="trial", key=key, partition="p", trigger="command", envelope={"marks": "x"},
        graph=store_graph(entries, workflow="trial").pk,
    )  # fmt: skip
    Instance.objects.filter(pk=pk).update(
        status=Status.WAITING, reason=Reason.EVENT, position=1, started_at="2026-01-01T00:00Z",
        deadline_at="2031-01-01T00:00Z", wake_at="2031-01-01T00:00Z", due_at="2031-01-01T00:00Z",
    )  # fmt: skip
    return Instance.objects.get(pk=pk)


def event_form(client: Client, instance: Instance) -> dict[str, Any]:
    form = client.get(page_of(instance, "send-event/")).context["form"]
    return {name: form[name].value() or "" for name in form.fields}


STATES: list[tuple[dict[str, Any], set[str]]] = [
    ({"status": Status.QUEUED, **OPEN},
     {"pause", "send-event", "replace-output", "restart", "terminate"}),
    ({"status": Status.RUNNING, **OPEN}, {"pause", "send-event", "restart", "terminate"}),
    ({"status": Status.RUNNING, "pause_requested": True, **OPEN},
     {"resume", "send-event", "restart", "terminate"}),
    ({"status": Status.WAITING, "reason": "retry", **OPEN},
     {"retry", "pause", "send-event", "replace-output", "restart", "terminate"}),
    ({"status": Status.WAITING, "reason": "event", **OPEN},
     {"pause", "send-event", "replace-output", "restart", "terminate"}),
    ({"status": Status.PAUSED, "reason": "event", **OPEN},
     {"resume", "send-event", "replace-output", "restart", "terminate"}),
    ({"status": Status.ERRORED}, {"retry", "replace-output", "restart", "terminate"}),
    ({"status": Status.TERMINATED}, {"restart"}),
    ({"status": Status.COMPLETE}, {"restart"}),
    ({"status": Status.COMPLETE, "pruned_at": "2026-01-01T00:00Z"}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("state", "verbs"), STATES)
def test_each_state_is_offered_the_verbs_that_apply_to_it_and_no_other(
    operator: Client, state: dict[str, Any], verbs: set[str]
) -> None:
    instance = errored("a", **state)
    assert verbs_for(instance) == verbs
    offered = re.findall(rf'href="{LIST}{instance.pk}/([a-z-]+)/"', shown(operator, instance))
    assert set(offered) == verbs


def test_a_pause_says_first_that_a_running_step_finishes(operator: Client) -> None:
    instance = errored("a", status=Status.RUNNING, **OPEN)
    before = row_of(instance)
    assert "which runs now, finishes or fails first" in shown(operator, instance, "pause/")
    assert row_of(instance) == before


def test_a_pause_of_a_running_instance_is_shown_as_pausing_after_this_step(
    operator: Client,
) -> None:
    instance = errored("a", status=Status.RUNNING, **OPEN)
    said = operator.post(page_of(instance, "pause/"), {"why": "wait"}, follow=True).content.decode()

    assert "Pausing: trial-a stands still after trial_second, which runs now" in said
    assert "running, pausing after this step" in said
    assert row_of(instance)[3] is True


def test_a_second_pause_says_that_it_was_so_already_and_logs_nothing(operator: Client) -> None:
    instance = errored("a", status=Status.QUEUED, **OPEN)
    first = operator.post(page_of(instance, "pause/"), {"why": "x"}, follow=True).content.decode()
    again = operator.post(page_of(instance, "pause/"), {"why": "x"}, follow=True).content.decode()

    assert "Paused: trial-a, at trial_second." in first
    assert "Paused already: trial-a; nothing changed." in again
    assert list(LogEntry.objects.filter(kind="pause").values_list("actor", "why")) == [
        ("olga", "x")
    ]


def test_a_paused_instance_goes_on_when_it_is_resumed(operator: Client) -> None:
    instance = errored("a", status=Status.PAUSED, **OPEN)
    said = operator.post(page_of(instance, "resume/"), follow=True).content.decode()
    again = operator.post(page_of(instance, "resume/"), follow=True).content.decode()

    assert "Now trial-a goes on at trial_second." in said
    assert "Not paused: trial-a; nothing changed." in again
    assert row_of(instance)[0] == Status.QUEUED
    assert LogEntry.objects.filter(kind="resume").count() == 1


def test_terminating_twice_says_that_it_was_so_already(operator: Client) -> None:
    instance = errored("a")
    operator.post(page_of(instance, "terminate/"))
    said = operator.post(page_of(instance, "terminate/"), follow=True).content.decode()
    assert "Terminated already: trial-a; nothing changed." in said
    assert LogEntry.objects.filter(kind="terminate").count() == 1


def test_the_event_that_an_instance_waits_for_is_offered_and_sent_once_by_two_clicks(
    operator: Client,
) -> None:
    instance = waiting_for_approval()
    data = event_form(operator, instance) | {"payload": '{"revision": 3}', "why": "read it"}
    assert data["type"] == "approval"

    first = operator.post(page_of(instance, "send-event/"), data, follow=True).content.decode()
    again = operator.post(page_of(instance, "send-event/"), data, follow=True).content.decode()

    assert "Event approval was sent to trial-w: approval takes it now." in first
    assert "This event was sent to trial-w already; nothing changed." in again
    assert list(Event.objects.values_list("type", "payload", "sender")) == [
        ("approval", {"revision": 3}, "olga")
    ]
    assert LogEntry.objects.get(kind="event").why == "read it"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"payload": "{no"}, "This is not JSON: Expecting property name enclosed in double quotes"),
        ({"payload": "NaN"}, "is no JSON that can be stored"),
        ({"type": "a b"}, "letters, digits, `_`, `-` and `.`, at most 100"),
    ],
)
def test_an_event_that_cannot_be_sent_is_refused_at_its_field(
    operator: Client, wrong: dict[str, str], said: str
) -> None:
    instance = waiting_for_approval()
    data = event_form(operator, instance) | wrong
    assert said in operator.post(page_of(instance, "send-event/"), data).content.decode()
    assert Event.objects.count() == 0


def test_an_event_for_an_earlier_generation_is_refused(operator: Client) -> None:
    instance = waiting_for_approval()
    data = event_form(operator, instance)
    Instance.objects.update(generation=2)
    said = operator.post(page_of(instance, "send-event/"), data, follow=True).content.decode()
    assert "is in generation 2, not 1; nothing was sent" in said
    assert Event.objects.count() == 0


def output_form(instance: Instance, output: str) -> dict[str, Any]:
    record = StepRecord.objects.get(instance=instance, superseded=False)
    return {"entry": record.entry, "record": record.pk, "output": output, "why": "better"}


def test_an_output_is_replaced_after_a_form_that_holds_the_present_one(operator: Client) -> None:
    instance = errored("a")
    assert 'href="?entry=trial_first"' in shown(operator, instance, "replace-output/")
    form = operator.get(page_of(instance, "replace-output/?entry=trial_first")).context["form"]
    assert json.loads(form["output"].value()) == {"said": "<script>alert(1)</script>"}

    data = output_form(instance, '{"said": "new"}')
    said = operator.post(page_of(instance, "replace-output/"), data, follow=True).content.decode()
    assert "The output of trial_first of trial-a is replaced." in said
    assert StepRecord.objects.get(superseded=False).output == {"said": "new"}
    assert LogEntry.objects.get(kind="replace-output").why == "better"


def test_an_output_that_does_not_fit_its_contract_is_refused_with_the_path(
    operator: Client,
) -> None:
    instance = errored("a")
    data = output_form(instance, '{"said": 5}')
    said = operator.post(page_of(instance, "replace-output/"), data).content.decode()
    assert "trial_first.said: does not fit First" in said
    assert StepRecord.objects.get().output == {"said": "<script>alert(1)</script>"}


def test_an_output_that_somebody_replaced_meanwhile_is_left_alone(operator: Client) -> None:
    instance = errored("a")
    stale = output_form(instance, '{"said": "mine"}')
    operator.post(page_of(instance, "replace-output/"), output_form(instance, '{"said": "theirs"}'))
    said = operator.post(page_of(instance, "replace-output/"), stale, follow=True).content.decode()
    assert "has had another output since you opened the form; nothing changed" in said
    assert StepRecord.objects.get(superseded=False).output == {"said": "theirs"}


def test_a_sensitive_output_is_hidden_on_the_page_and_in_every_download(operator: Client) -> None:
    instance = errored("a")
    StepRecord.objects.update(sensitive=True, output={"said": "hunter2"})
    pages = ["change/", "whole.json", "input.json", "output/trial_first.json",
             "replace-output/?entry=trial_first"]  # fmt: skip
    for page in pages:
        assert "hunter2" not in shown(operator, instance, page), page
    assert json.loads(shown(operator, instance, "output/trial_first.json")) == "[hidden]"
    whole = json.loads(shown(operator, instance, "whole.json"))
    assert [record["output"] for record in whole["records"]] == ["[hidden]"]


def test_a_sensitive_output_is_in_no_error_text(operator: Client) -> None:
    instance = errored("a")
    StepRecord.objects.update(sensitive=True, output={"said": "hunter2"})
    data = output_form(instance, '{"said": 5}')
    said = operator.post(page_of(instance, "replace-output/"), data).content.decode()
    assert "does not fit First" in said
    assert "hunter2" not in said


def test_a_taken_event_is_shown_with_its_sender_and_payload(operator: Client) -> None:
    instance = waiting_for_approval()
    told = {"type": "approval", "payload": {"revision": 3}, "sender": "edna",
            "sent_at": "2026-01-01T10:00:00Z"}  # fmt: skip
    StepRecord.objects.create(
        instance=instance, generation=1, position=1, entry="approval", attempt=1,
        output={"event": told}, started_at="2026-01-01T10:00Z", finished_at="2026-01-01T10:00Z",
    )  # fmt: skip
    Instance.objects.update(position=2, reason="retry", deadline_at=None)
    page = shown(operator, instance)
    assert "Took <strong>approval</strong> of edna, sent 2026-01-01 10:00:00 UTC." in page
    assert "&quot;revision&quot;: 3" in page


def test_a_wait_is_shown_with_what_it_waits_for_and_until_when(operator: Client) -> None:
    page = shown(operator, waiting_for_approval())
    assert "for event approval" in page
    assert "2031-01-01 00:00:00 UTC" in page
    assert "and gives up" in page


def test_a_pruned_instance_says_so_and_is_offered_nothing(operator: Client) -> None:
    instance = errored("a", pruned_at="2026-01-01T00:00Z")
    page = shown(operator, instance)
    assert "its input, outputs, attempts and events are gone" in page
    assert 'aria-label="Verbs"' not in page


@pytest.mark.parametrize("verb", list(APPLIES))
def test_who_may_only_look_can_use_no_verb(verb: str) -> None:
    instance = errored("a", status=Status.QUEUED, **OPEN)
    before = row_of(instance)
    client = signed_in(person("vera", "workflows.view_instance"))
    data = {"generation": 1, "type": "approval", "key": "k", "entry": "trial_first", "output": "{}"}

    assert client.get(page_of(instance, f"{verb}/")).status_code == 403
    assert client.post(page_of(instance, f"{verb}/"), data).status_code == 403
    assert Client().post(page_of(instance, f"{verb}/"), data).status_code == 302
    assert row_of(instance) == before
    assert not Event.objects.exists()


@pytest.mark.parametrize("verb", list(APPLIES))
def test_no_verb_is_used_without_the_token_of_its_page(verb: str) -> None:
    instance = errored("a", status=Status.QUEUED, **OPEN)
    before = row_of(instance)
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("olga", "workflows.change_instance"))
    assert client.post(page_of(instance, f"{verb}/"), {"generation": 1}).status_code == 403
    assert row_of(instance) == before
