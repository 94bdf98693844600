"""Lanes, a routine with its key, and a client that posts as it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lanes.models import Bundle, Lane
from publishing.keys import make_key
from publishing.models import Brief, Routine, Slug, Text
from workflows.models import Instance, Status

PUBLISH = "/api/admin/publish"
Post = Callable[..., Any]


def make_lane(name: str) -> Lane:
    """Make a lane with its first bundle in use."""
    lane = Lane.objects.create(name=name, title=name.title())
    lane.bundle = Bundle.objects.create(
        lane=lane, version=1, voice="Plain.", audience="All.", brief_hints="Short."
    )
    lane.save()
    return lane


def a_brief(**fields: Any) -> dict[str, Any]:
    """Return a brief that fits; fields given replace its own."""
    brief = {"brief_id": "b-1", "lane": "news", "title": "A title", "summary": "What it says."}
    return brief | fields


def rows() -> dict[str, int]:
    """Count what a refusal must not leave."""
    return {model.__name__: model.objects.count() for model in (Brief, Instance, Slug, Text)}


NO_ROWS = {"Brief": 0, "Instance": 0, "Slug": 0, "Text": 0}


def set_status(brief_id: str, status: Status) -> None:
    """Put an instance into a state, as a run would have."""
    Instance.objects.filter(key=brief_id).update(status=status, due_at=None)


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """Expect a problem whose every error names a way out; return it."""
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    problem: dict[str, Any] = response.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"] == f"urn:presswork:problem:{code}"
    for error in problem["errors"]:
        assert set(error) == {"pointer", "code", "detail", "fix", "allowed"}
        assert error["fix"]
    assert problem["errors"]
    return problem


@pytest.fixture
def news(db: None) -> Lane:
    """The lane that the routine may use."""
    return make_lane("news")


@pytest.fixture
def dev(db: None) -> Lane:
    """A lane that the routine may not use."""
    return make_lane("dev")


@pytest.fixture
def routine(news: Lane, dev: Lane) -> Routine:
    """A routine of one lane, without a limit."""
    routine = Routine.objects.create(name="Newsroom")
    routine.lanes.add(news)
    return routine


@pytest.fixture
def key(routine: Routine) -> str:
    """The routine's key."""
    return make_key(routine)


@pytest.fixture
def client() -> Client:
    """A client that shows a 500 as an answer, as a sender sees it."""
    return Client(raise_request_exception=False)


@pytest.fixture
def post(client: Client, key: str) -> Post:
    """Post a body as the routine; what is not bytes is sent as JSON."""

    def send(body: Any, *, key: str = key, content_type: str = "application/json") -> Any:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # Named twice, because the client drops the type of an empty body.
        return client.post(
            PUBLISH, sent, content_type=content_type, headers=headers, CONTENT_TYPE=content_type
        )

    return send


@pytest.fixture
def get(client: Client, key: str) -> Post:
    """Get a path as the routine."""
    return lambda path, key=key: client.get(path, headers={"Authorization": f"Bearer {key}"})
