"""People and instances that the admin's pages are tried with."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from lanes.models import Lane
from lanes.versions import read_specs, save_bundle, save_options
from tests.trial.stages import ENTRIES
from workflows.dispatch import create_instance
from workflows.graphs import store_graph
from workflows.models import Attempt, Instance, Status, StepRecord


def person(name: str, *permissions: str) -> User:
    """Return a member of staff with these permissions, as `app.codename`."""
    user = User.objects.create_user(name, password="x", is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return user


def signed_in(user: User) -> Client:
    """Return the user's browser."""
    client = Client()
    client.force_login(user)
    return client


def errored(key: str, **fields: Any) -> Instance:
    """Return a trial instance whose second step failed for good."""
    graph = store_graph(ENTRIES, workflow="trial")
    pk = create_instance(
        workflow="trial", key=key, partition="p", graph=graph.pk, envelope={"marks": "<b>/tmp"},
        trigger="command",
    )  # fmt: skip
    now = timezone.now()
    times = {"started_at": now - timedelta(seconds=3), "finished_at": now - timedelta(seconds=2)}
    StepRecord.objects.create(
        instance_id=pk, generation=1, position=0, entry="trial_first", attempt=1,
        output={"said": "<script>alert(1)</script>"}, **times,
    )  # fmt: skip
    error = {"type": "KeyError", "message": "'x' <i>", "traceback": "Traceback <u>"}
    Attempt.objects.create(
        instance_id=pk, generation=1, position=1, entry="trial_second", number=1,
        outcome="failed", error=error, **times,
    )  # fmt: skip
    state = {"status": Status.ERRORED, "position": 1, "attempt": 1, "due_at": None, "error": error,
             "started_at": times["started_at"], "finished_at": now}  # fmt: skip
    Instance.objects.filter(pk=pk).update(**state | fields)
    return Instance.objects.get(pk=pk)


@pytest.fixture
def operator(db: None) -> Client:
    """An operator's browser."""
    return signed_in(person("olga", "workflows.change_instance", "workflows.view_instance"))


@pytest.fixture
def editor(db: None) -> Client:
    """An editor's browser."""
    return signed_in(
        person("edna", "lanes.change_lane", "lanes.add_lane", "lanes.view_lane",
               "lanes.view_bundle", "lanes.view_laneoptions")
    )  # fmt: skip


@pytest.fixture
def lane(db: None) -> Lane:
    """A lane with one version of bundle and options."""
    made = Lane.objects.create(name="trial", title="Trial", hue=25)
    pattern = {"text": "Hype.", "why": "It tires.", "severity": "flag", "pattern": r"\bhuge\b"}
    specs = {"voice": "Plain.\nShort.", "audience": "Readers.", "brief_hints": "Short.",
             "anti_patterns": [pattern]}  # fmt: skip
    save_bundle(made, read_specs(specs))
    save_options(made, {})
    return Lane.objects.get(pk=made.pk)
