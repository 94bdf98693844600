"""Verbs for many instances, and bulk operations with their pages."""

from typing import Any

import pytest
from django.test import Client

from publishing.admin import bulk
from tests.publishing.admin.conftest import errored, person, signed_in
from workflows.bulk import BulkVerb, start_bulk
from workflows.listing import Filter
from workflows.models import BulkOperation, Instance, LogEntry, Status

pytestmark = pytest.mark.django_db
LIST = "/admin/workflows/instance/"
ORDERS = "/admin/workflows/bulkoperation/"
OPEN = {"status": Status.QUEUED, "finished_at": None, "error": None}


def ask(client: Client, verb: str, query: str = "", **more: Any) -> Any:
    data = {"action": f"{verb}_selected", "select_across": "1", "_selected_action": ["1"], **more}
    return client.post(LIST + query, data, follow=True)


def confirm(client: Client, verb: str, query: str = "", **more: Any) -> Any:
    form = ask(client, verb, query).context["form"]
    stamped = {"stamped": form["stamped"].value(), "confirmed": "yes"}
    return ask(client, verb, query, **stamped, **more)


def order(**more: Any) -> BulkOperation:
    operation = start_bulk(BulkVerb("pause"), Filter(), actor="olga", why="a bad batch")
    BulkOperation.objects.filter(pk=operation.pk).update(**more)
    return BulkOperation.objects.get(pk=operation.pk)


@pytest.mark.parametrize(
    ("verb", "state", "then"),
    [
        ("pause", Status.QUEUED, Status.PAUSED),
        ("resume", Status.PAUSED, Status.QUEUED),
        ("retry", Status.ERRORED, Status.WAITING),
        ("terminate", Status.QUEUED, Status.TERMINATED),
    ],
)
def test_a_verb_is_done_for_the_ticked_rows_it_applies_to(
    operator: Client, verb: str, state: Status, then: Status
) -> None:
    rows = [errored("a", status=state), errored("b", status=Status.COMPLETE)]
    data = {"action": f"{verb}_selected", "_selected_action": [row.pk for row in rows]}

    assert "applies to 1 of the 2 chosen" in operator.post(LIST, data).content.decode()
    operator.post(LIST, data | {"confirmed": "yes", "why": ""})
    found = [Instance.objects.get(pk=row.pk).status for row in rows]
    assert found == [then, Status.COMPLETE]


def test_ticked_rows_restart_once_from_the_chosen_entry_however_often_it_is_clicked(
    operator: Client,
) -> None:
    row = errored("a")
    data = {"action": "restart_selected", "_selected_action": [row.pk]}
    asked = operator.post(LIST, data).content.decode()
    assert f'name="seen" value="{row.pk}:1"' in asked

    data |= {"confirmed": "yes", "entry": "trial_second", "seen": f"{row.pk}:1"}
    operator.post(LIST, data)
    operator.post(LIST, data)
    after = Instance.objects.get(pk=row.pk)
    assert (after.generation, after.position) == (2, 1)


def test_the_whole_list_is_a_bulk_operation_over_its_filters(operator: Client) -> None:
    errored("a")
    errored("b", status=Status.COMPLETE)
    query = "?status=4&partition=p&workflow=trial"
    assert "workers apply it in the background" in ask(operator, "retry", query).content.decode()
    assert not BulkOperation.objects.exists()

    confirm(operator, "retry", query, why="all of them")
    made = BulkOperation.objects.get()
    assert (made.verb, made.total, made.actor, made.why) == ("retry", 1, "olga", "all of them")
    assert made.filter == {"status": ["errored"], "partition": "p", "workflow": "trial"}
    assert Instance.objects.get(workflow="bulk").trigger == "admin"


def test_a_span_and_a_reason_of_the_list_are_filters_of_the_operation(operator: Client) -> None:
    errored("a", status=Status.WAITING, reason="retry")
    confirm(operator, "pause", "?reason=retry&created=day")
    made = BulkOperation.objects.get()
    assert made.total == 1
    assert set(made.filter) == {"reason", "created_after"}


def test_a_confirmation_that_is_sent_twice_orders_once(operator: Client) -> None:
    errored("a")
    form = ask(operator, "restart", "?created=day").context["form"]
    sent = {"stamped": form["stamped"].value(), "confirmed": "yes", "entry": ""}
    first = ask(operator, "restart", "?created=day", **sent).content.decode()
    again = ask(operator, "restart", "?created=day", **sent).content.decode()

    assert "Ordered: restart for 1 instance." in first
    assert "This was ordered already; nothing changed." in again
    assert BulkOperation.objects.count() == 1


def test_more_ticked_rows_than_one_request_takes_are_a_bulk_operation_of_their_ids(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE_MOST", 1)
    rows = [errored("a", **OPEN), errored("b", **OPEN), errored("c", **OPEN)]
    data = {"action": "pause_selected", "_selected_action": [row.pk for row in rows[:2]]}
    form = operator.post(LIST, data).context["form"]
    operator.post(LIST, data | {"confirmed": "yes", "stamped": form["stamped"].value()})
    assert BulkOperation.objects.get().filter == {"ids": ["trial-a", "trial-b"]}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?q=trial", "takes no search text: filter, or tick rows page by page"),
        ("?status=needs-person", "is several states at once"),
    ],
)
def test_what_cannot_be_a_bulk_operation_is_refused_with_the_way_out(
    operator: Client, query: str, said: str
) -> None:
    errored("a")
    answer = ask(operator, "terminate", query).content.decode()
    assert "Nothing changed." in answer
    assert said in answer
    assert not BulkOperation.objects.exists()


def test_an_operation_shows_progress_refusals_who_and_why(operator: Client) -> None:
    made = order(done=3, unchanged=2, refused=1, total=9, refusals=["trial-x is <complete>"])
    page = operator.get(f"{ORDERS}{made.pk}/change/").content.decode()
    assert "6 of 9" in page
    for part in ("olga", "a bad batch", "trial-x is &lt;complete&gt;", f"bulk-{made.pk}"):
        assert part in page
    assert "6 of 9" in operator.get(ORDERS).content.decode()


def test_an_operation_is_stopped_after_a_page_that_says_what_stays(operator: Client) -> None:
    made = order()
    asked = operator.get(f"{ORDERS}{made.pk}/stop/").content.decode()
    assert "What was done stays done" in asked
    assert BulkOperation.objects.get().state == "going"

    first = operator.post(f"{ORDERS}{made.pk}/stop/", follow=True).content.decode()
    again = operator.post(f"{ORDERS}{made.pk}/stop/", follow=True).content.decode()
    assert "Stopped. What was done stays done" in first
    assert "It had ended already; nothing changed." in again
    assert BulkOperation.objects.get().state == "stopped"


def test_the_status_of_an_operation_answers_304_until_it_moves(operator: Client) -> None:
    made = order()
    url = f"{ORDERS}{made.pk}/status.json"
    first = operator.get(url)
    assert operator.get(url, headers={"if-none-match": first["ETag"]}).status_code == 304
    BulkOperation.objects.update(done=1, state="done")
    assert operator.get(url, headers={"if-none-match": first["ETag"]}).json()["ended"] is True


def test_who_may_only_look_orders_and_stops_nothing() -> None:
    made, row = order(), errored("a", **OPEN)
    client = signed_in(person("vera", "workflows.view_instance", "workflows.view_bulkoperation"))
    assert client.get(f"{ORDERS}{made.pk}/change/").status_code == 200
    assert "/stop/" not in client.get(f"{ORDERS}{made.pk}/change/").content.decode()
    assert client.post(f"{ORDERS}{made.pk}/stop/").status_code == 403
    assert Client().post(f"{ORDERS}{made.pk}/stop/").status_code == 302
    for verb in ("pause", "resume", "retry", "restart", "terminate"):
        ask(client, verb, confirmed="yes", stamped="x")
        data = {"action": f"{verb}_selected", "_selected_action": [row.pk], "confirmed": "yes"}
        client.post(LIST, data)
    assert BulkOperation.objects.get().state == "going"
    assert Instance.objects.get(pk=row.pk).status == Status.QUEUED
    assert not LogEntry.objects.exclude(kind="created").exists()


@pytest.mark.parametrize("view", ["", "change/", "stop/", "status.json"])
def test_bulk_operations_are_hidden_from_strangers_and_from_staff_without_permission(
    view: str,
) -> None:
    address = f"{ORDERS}{order().pk}/{view}" if view else ORDERS
    assert Client().get(address).status_code == 302
    assert signed_in(person("nora")).get(address).status_code == 403


def test_an_operation_is_not_stopped_without_the_token_of_its_page() -> None:
    made = order()
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("olga", "workflows.change_instance"))
    assert client.post(f"{ORDERS}{made.pk}/stop/").status_code == 403
    assert BulkOperation.objects.get().state == "going"
