"""Instances in the admin: list, page, verbs, and who may use them."""

import json
import re

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from lanes.models import Lane
from publishing.admin.dashboard import read_dashboard
from publishing.models import Brief
from tests.publishing.admin.conftest import errored, person, signed_in
from tests.publishing.articles import make_article
from workflows.models import Instance, LogEntry, Status

pytestmark = pytest.mark.django_db
LIST = "/admin/workflows/instance/"
SHOWN = [
    "trial-a",
    "trial_first",
    "trial_second",
    "trial_third",
    "KeyError",
    "&#x27;x&#x27; &lt;i&gt;",
    "Traceback &lt;u&gt;",
    "&lt;b&gt;/tmp",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "Retry failed step: trial_second",
]
INLINE = re.compile(r'\sstyle="|<style|\son[a-z]+="|<script>(?!</)')


def page_of(instance: Instance, rest: str = "change/") -> str:
    return f"{LIST}{instance.pk}/{rest}"


def state_of(instance: Instance) -> tuple[int, int, int]:
    row = Instance.objects.get(pk=instance.pk)
    return row.status, row.generation, row.fence


def test_the_page_shows_steps_attempts_errors_input_and_output_escaped(operator: Client) -> None:
    shown = operator.get(page_of(errored("a"))).content.decode()

    for part in SHOWN:
        assert part in shown
    assert "<script>alert" not in shown
    assert not INLINE.search(shown)


def test_the_page_is_found_by_instance_id_too(operator: Client) -> None:
    errored("a")
    assert operator.get(f"{LIST}trial-a/change/").status_code == 200
    assert operator.get(f"{LIST}trial-b/change/").status_code == 404


def test_a_retry_is_confirmed_first_and_says_what_stays(operator: Client) -> None:
    instance = errored("a")
    before = state_of(instance)
    said = operator.get(page_of(instance, "retry/")).content.decode()

    assert "<strong>trial_second</strong> is tried again now" in said
    assert "are not run or paid again: trial_first." in said
    assert "None of this pays for anything." in said
    assert state_of(instance) == before


def test_a_confirmed_retry_moves_the_instance_and_is_logged_with_name_and_reason(
    operator: Client,
) -> None:
    instance = errored("a")
    answer = operator.post(page_of(instance, "retry/"), {"why": "the key is fixed"}, follow=True)

    assert "Now trial_second of trial-a is tried again." in answer.content.decode()
    assert state_of(instance)[0] == Status.WAITING
    logged = LogEntry.objects.filter(kind="retry").values_list("actor", "why")
    assert list(logged) == [("olga", "the key is fixed")]


def test_a_second_retry_is_told_why_not_and_changes_nothing(operator: Client) -> None:
    instance = errored("a")
    operator.post(page_of(instance, "retry/"))
    before = state_of(instance)
    answer = operator.post(page_of(instance, "retry/"), follow=True)

    assert "has nothing to retry; nothing changed" in answer.content.decode()
    assert state_of(instance) == before
    assert LogEntry.objects.filter(kind="retry").count() == 1


def test_a_restart_begins_a_generation_at_the_chosen_entry(operator: Client) -> None:
    instance = errored("a")
    data = {"entry": "trial_second", "generation": 1, "why": ""}
    answer = operator.post(page_of(instance, "restart/"), data, follow=True)

    assert "Now trial-a begins again at trial_second, as generation 2." in answer.content.decode()
    row = Instance.objects.get(pk=instance.pk)
    assert (row.status, row.generation, row.position) == (Status.QUEUED, 2, 1)
    assert instance.records.get().superseded is False


def test_a_restart_clicked_twice_restarts_once(operator: Client) -> None:
    instance = errored("a")
    data = {"entry": "", "generation": 1, "why": ""}
    operator.post(page_of(instance, "restart/"), data)
    answer = operator.post(page_of(instance, "restart/"), data, follow=True)

    assert (
        "was restarted meanwhile: it is in generation 2; nothing changed" in answer.content.decode()
    )
    assert state_of(instance)[1] == 2


def test_a_restart_from_an_entry_that_was_not_reached_is_refused(operator: Client) -> None:
    instance = errored("a")
    before = state_of(instance)
    data = {"entry": "trial_third", "generation": 1}
    answer = operator.post(page_of(instance, "restart/"), data)

    assert "trial_third is not one of the available choices" in answer.content.decode()
    assert state_of(instance) == before


def test_terminate_ends_it_for_good(operator: Client) -> None:
    instance = errored("a", status=Status.PAUSED, finished_at=None)
    operator.post(page_of(instance, "terminate/"), {"why": "not ours"})
    assert state_of(instance)[0] == Status.TERMINATED


def test_many_are_retried_after_a_page_that_counts_what_applies(operator: Client) -> None:
    rows = [errored("a"), errored("b"), errored("c", status=Status.COMPLETE)]
    data = {"action": "retry_selected", "_selected_action": [row.pk for row in rows]}
    asked = operator.post(LIST, data).content.decode()

    assert "applies to 2 of the 3 chosen" in asked
    assert [state_of(row)[0] for row in rows] == [Status.ERRORED, Status.ERRORED, Status.COMPLETE]

    done = operator.post(LIST, data | {"confirmed": "yes", "why": ""}, follow=True).content.decode()
    assert "Retry failed step: done for 2." in done
    assert "1 left as they were. retry: trial-c is complete" in done
    assert [state_of(row)[0] for row in rows] == [Status.WAITING, Status.WAITING, Status.COMPLETE]


def test_many_are_terminated(operator: Client) -> None:
    rows = [errored("a"), errored("b")]
    data = {"action": "terminate_selected", "_selected_action": [row.pk for row in rows],
            "confirmed": "yes", "why": "a bad batch"}  # fmt: skip
    operator.post(LIST, data)

    assert [state_of(row)[0] for row in rows] == [Status.TERMINATED] * 2
    assert (
        list(LogEntry.objects.filter(kind="terminate").values_list("why", flat=True))
        == ["a bad batch"] * 2
    )


def test_the_status_answers_304_until_something_moves(operator: Client) -> None:
    instance = errored("a")
    first = operator.get(page_of(instance, "status.json"))
    same = operator.get(page_of(instance, "status.json"), headers={"if-none-match": first["ETag"]})
    operator.post(page_of(instance, "retry/"))
    moved = operator.get(page_of(instance, "status.json"), headers={"if-none-match": first["ETag"]})

    assert (first.json()["status"], first.json()["ended"]) == ("errored", True)
    assert (same.status_code, same.content) == (304, b"")
    assert (moved.status_code, moved.json()["status"]) == (200, "waiting to retry")


def test_everything_can_be_downloaded(operator: Client) -> None:
    instance = errored("a")
    whole = json.loads(operator.get(page_of(instance, "whole.json")).content)

    assert (whole["instance_id"], whole["status"]) == ("trial-a", "errored")
    assert whole["envelope"] == {"marks": "<b>/tmp"}
    assert [a["outcome"] for a in whole["attempts"]] == ["failed"]
    output = operator.get(page_of(instance, "output/trial_first.json"))
    assert json.loads(output.content) == {"said": "<script>alert(1)</script>"}
    assert operator.get(page_of(instance, "output/trial_third.json")).status_code == 404


def test_a_large_output_is_cut_on_the_page_and_whole_in_the_download(operator: Client) -> None:
    instance = errored("a")
    instance.records.update(output={"said": "x" * 50_000})

    assert "Cut here; 50016 characters in all." in operator.get(page_of(instance)).content.decode()
    whole = operator.get(page_of(instance, "output/trial_first.json")).content
    assert json.loads(whole) == {"said": "x" * 50_000}


def test_a_list_of_many_costs_as_many_queries_as_a_list_of_one(operator: Client) -> None:
    errored("a0")
    with CaptureQueriesContext(connection) as one:
        operator.get(LIST)
    for n in range(1, 20):
        errored(f"a{n}")
    with CaptureQueriesContext(connection) as many:
        operator.get(LIST)
    assert len(many) == len(one)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?status=4", ["trial-a"]),
        ("?status=needs-person", ["trial-a", "trial-b"]),
        ("?reason=operator", ["trial-b"]),
        ("?workflow=trial", ["trial-a", "trial-b", "trial-c"]),
        ("?partition=other", []),
        ("?partition=p", ["trial-a", "trial-b", "trial-c"]),
        ("?q=trial-a", ["trial-a"]),
    ],
)
def test_the_list_is_filtered_and_searched(operator: Client, query: str, found: list[str]) -> None:
    Lane.objects.create(name="other", title="Other")
    Lane.objects.create(name="p", title="P")
    errored("a")
    errored("b", status=Status.WAITING, reason="operator")
    errored("c", status=Status.COMPLETE)
    rows = operator.get(LIST + query).context["cl"].result_list
    assert sorted(row.instance_id for row in rows) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("publish-tides-2", ["tides-2"]),
        ("tides", ["tides-1", "tides-2"]),
        ("publish-tides", ["tides-1", "tides-2"]),
        ("MOON", ["tides-1"]),
        ("clock moo", ["tides-1"]),
        ("moon sun", []),
        ("ides", []),
        ("it's", ["tides-2"]),
        ("' | (x", []),
        ("%", []),
    ],
)
def test_a_brief_is_found_by_the_beginning_of_its_id_and_by_words_of_its_title(
    operator: Client, query: str, found: list[str]
) -> None:
    for brief_id, title in (("tides-1", "The moon's clock"), ("tides-2", "It's the sun")):
        brief = make_article().brief
        Brief.objects.filter(pk=brief.pk).update(brief_id=brief_id, payload={"title": title})
        Instance.objects.filter(pk=brief.instance_id).update(key=brief_id)
    make_article()

    rows = operator.get(LIST, {"q": query}).context["cl"].result_list
    assert sorted(row.key for row in rows) == found


def test_a_filtered_list_is_counted_no_further_than_anybody_leafs(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("publishing.admin.base.COUNTED_TO", 55)
    for number in range(60):
        errored(f"a{number}")
    listed = operator.get(LIST + "?status=4&p=2").context["cl"]
    assert (listed.result_count, len(listed.result_list)) == (55, 5)


VIEWS = ["", "change/", "retry/", "restart/", "terminate/", "status.json", "whole.json",
         "input.json", "output/trial_first.json"]  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_nobody_sees_anything_without_signing_in(view: str) -> None:
    instance = errored("a")
    answer = Client().get(page_of(instance, view) if view else LIST)
    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"]


@pytest.mark.parametrize("view", VIEWS)
def test_staff_without_the_permission_see_nothing(view: str) -> None:
    instance = errored("a")
    client = signed_in(person("nora"))
    assert client.get(page_of(instance, view) if view else LIST).status_code == 403


@pytest.mark.parametrize("verb", ["retry", "restart", "terminate"])
def test_who_may_only_look_is_offered_no_verb_and_can_use_none(verb: str) -> None:
    instance = errored("a")
    before = state_of(instance)
    client = signed_in(person("vera", "workflows.view_instance"))

    assert "Retry failed step" not in client.get(page_of(instance)).content.decode()
    answer = client.post(page_of(instance, f"{verb}/"), {"generation": 1})
    assert answer.status_code == 403
    data = {"action": "retry_selected", "_selected_action": [instance.pk], "confirmed": "yes"}
    client.post(LIST, data)
    assert state_of(instance) == before


def test_a_verb_without_the_token_of_its_page_is_refused() -> None:
    instance = errored("a")
    before = state_of(instance)
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("olga", "workflows.change_instance"))

    assert client.post(page_of(instance, "retry/")).status_code == 403
    assert state_of(instance) == before


def test_nothing_can_be_posted_to_the_page_itself(operator: Client) -> None:
    instance = errored("a")
    assert operator.post(page_of(instance), {"status": "6"}).status_code == 405
    assert state_of(instance)[0] == Status.ERRORED


def test_the_front_page_says_what_needs_a_person_and_that_no_worker_beats(
    operator: Client,
) -> None:
    assert "No brief has come yet" in operator.get("/admin/").content.decode()
    errored("a")
    shown = operator.get("/admin/").content.decode()

    assert "trial-a" in shown
    assert "No worker beats, so nothing runs. Start one: <code>python manage.py qcluster" in shown
    assert "Spent today" not in shown
    assert not INLINE.search(shown)


def test_the_front_page_reads_nothing_for_those_who_may_see_nothing() -> None:
    errored("a")
    assert read_dashboard(AnonymousUser()).needing == []
    assert read_dashboard(person("nora")).needing == []
    assert len(read_dashboard(User.objects.create_superuser("root")).needing) == 1
