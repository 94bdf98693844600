"""Schedules in the admin: the engine proves each, and a refusal keeps nothing."""

import json

import pytest
from django.test import Client
from django.utils import timezone

from tests.publishing.admin.conftest import errored, person, signed_in
from tests.trial.stages import ENTRIES
from workflows.models import Instance, Schedule
from workflows.schedules import save_schedule

pytestmark = pytest.mark.django_db
LIST = "/admin/workflows/schedule/"
TYPED = {
    "name": "nightly",
    "workflow": "trial",
    "cron": "15 3 * * *",
    "entries": json.dumps(ENTRIES),
    "envelope": '{"marks": "x"}',
    "is_on": "on",
}


@pytest.fixture
def keeper(db: None) -> Client:
    """The browser of who may keep schedules."""
    Schedule.objects.all().delete()
    return signed_in(
        person("kit", "workflows.add_schedule", "workflows.change_schedule",
               "workflows.view_instance")
    )  # fmt: skip


def saved() -> Schedule:
    return save_schedule("nightly", workflow="trial", cron="0 1 * * *", entries=ENTRIES)


def test_a_schedule_is_added_and_shows_its_next_run(keeper: Client) -> None:
    answer = keeper.post(f"{LIST}add/", TYPED, follow=True)
    assert answer.status_code == 200
    made = Schedule.objects.get()
    assert (made.name, made.partition, made.envelope) == ("nightly", "trial", {"marks": "x"})
    assert made.next_at > timezone.now()
    assert made.next_at.strftime("%Y-%m-%d") in keeper.get(LIST).content.decode()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cron": "every day"}, "is no cron line"),
        ({"name": "Nightly-run"}, "a name is a-z, 0-9 and _"),
        ({"entries": '[{"step": "none"}]'}, "none: no step has this name"),
        ({"entries": "[{"}, "This is not JSON"),
        ({"entries": "5"}, "A graph is a list of entries."),
        ({"envelope": "[1]"}, "An envelope is an object"),
        ({"workflow": "publish"}, "publish is not one of the available choices"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_form_and_nothing_is_saved(
    keeper: Client, wrong: dict[str, str], said: str
) -> None:
    assert said in keeper.post(f"{LIST}add/", TYPED | wrong).content.decode()
    assert not Schedule.objects.exists()


def test_a_change_that_does_not_fit_leaves_the_schedule_as_it_was(keeper: Client) -> None:
    made = saved()
    keeper.post(f"{LIST}{made.pk}/change/", TYPED | {"cron": "x", "envelope": '{"marks": "y"}'})
    made.refresh_from_db()
    assert (made.cron, made.envelope) == ("0 1 * * *", {})


def test_a_change_is_saved_under_the_same_name_whatever_name_is_sent(keeper: Client) -> None:
    made = saved()
    keeper.post(f"{LIST}{made.pk}/change/", TYPED | {"name": "other"})
    made.refresh_from_db()
    assert (made.name, made.cron) == ("nightly", "15 3 * * *")
    assert Schedule.objects.count() == 1


def test_a_name_that_is_taken_is_not_added_over(keeper: Client) -> None:
    saved()
    said = keeper.post(f"{LIST}add/", TYPED).content.decode()
    assert "already exists" in said
    assert Schedule.objects.get().cron == "0 1 * * *"


def test_schedules_are_turned_off_and_on_from_the_list(keeper: Client) -> None:
    made = saved()
    for action, is_on in (("turn_off", False), ("turn_on", True)):
        keeper.post(LIST, {"action": action, "_selected_action": [made.pk]})
        assert Schedule.objects.get().is_on is is_on


def test_a_schedule_lists_what_it_started(keeper: Client) -> None:
    made = saved()
    row = errored("nightly-20260101T0100Z")
    errored("other")
    Instance.objects.filter(pk=row.pk).update(trigger="schedule")
    page = keeper.get(f"{LIST}{made.pk}/change/").content.decode()
    assert "trial-nightly-20260101T0100Z" in page
    assert "trial-other" not in page


def test_who_may_only_look_changes_no_schedule() -> None:
    made = saved()
    client = signed_in(person("vera", "workflows.view_schedule"))
    assert client.get(f"{LIST}{made.pk}/change/").status_code == 200
    assert client.post(f"{LIST}{made.pk}/change/", TYPED).status_code == 403
    client.post(LIST, {"action": "turn_off", "_selected_action": [made.pk]})
    assert Client().post(f"{LIST}{made.pk}/change/", TYPED).status_code == 302
    made.refresh_from_db()
    assert (made.cron, made.is_on) == ("0 1 * * *", True)
