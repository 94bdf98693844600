"""The JSON of an instance: exactly the published fields, and nothing that must stay inside."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from lanes.models import Lane
from publishing.keys import make_key
from publishing.models import Article, Brief, Call, Routine
from tests.publishing.api.conftest import Post, a_brief
from workflows.models import Attempt, Instance, Outcome, Reason, Status, StepRecord

pytestmark = pytest.mark.django_db
PATH = "/api/admin/instances/publish-b-1"
STAGES = ["validate", "ground", "generate", "clean", "persist", "index", "cover", "publish"]
BEGAN = datetime(2031, 1, 1, 10, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def instance(post: Post) -> Instance:
    """The instance of one brief."""
    post(a_brief())
    return Instance.objects.get()


def record(instance: Instance, position: int, entry: str, **fields: Any) -> None:
    values = {"generation": 1, "attempt": 1, "output": {}, "started_at": BEGAN}
    values |= {"finished_at": BEGAN + timedelta(seconds=1)} | fields
    StepRecord.objects.create(instance=instance, position=position, entry=entry, **values)


def attempt(instance: Instance, position: int, entry: str, outcome: str, generation: int) -> None:
    Attempt.objects.create(
        instance=instance,
        position=position,
        entry=entry,
        outcome=outcome,
        generation=generation,
        number=1,
        finished_at=BEGAN,
    )


def move(instance: Instance, **fields: Any) -> None:
    Instance.objects.filter(pk=instance.pk).update(**fields)


def call(entry: str, state: str, held: int, cost: int | None, number: int = 0) -> None:
    Call.objects.create(
        key=f"b-1/{entry}/0/{number}",
        brief_id="b-1",
        entry=entry,
        state=state,
        held_micros=held,
        cost_micros=cost,
        lane="news",
        model="m",
        buckets=[],
        lease_until=BEGAN,
        created_at=BEGAN,
    )


def test_a_new_instance_has_exactly_the_published_fields(instance: Instance, get: Post) -> None:
    body = get(PATH).json()
    step = {"status": "pending", "attempts": 0, "started_at": None, "finished_at": None}
    assert body == {
        "instance_id": "publish-b-1",
        "brief_id": "b-1",
        "lane": "news",
        "status": "queued",
        "waiting_for": None,
        "created_at": instance.created_at.isoformat().replace("+00:00", "Z"),
        "finished_at": None,
        "cost_micros": 0,
        "steps": [step | {"name": name, "cost_micros": 0, "error": None} for name in STAGES],
        "waits": [
            {
                "name": "publish_at",
                "kind": "until",
                "status": "pending",
                "until": None,
                "finished_at": None,
                "passed": None,
            }
        ],
        "article": None,
        "links": {
            "self": f"http://testserver{PATH}",
            "publish": "http://testserver/api/admin/publish",
            "article": None,
        },
    }


def test_the_answer_to_a_publish_is_the_instance_with_detail(post: Post, get: Post) -> None:
    answer = post(a_brief()).json()
    assert answer.pop("detail") == "queued"
    assert answer == get(PATH).json()


def test_a_finished_step_tells_its_times_and_counts_its_tries(
    instance: Instance, get: Post
) -> None:
    for outcome in (Outcome.FAILED, Outcome.LOST, Outcome.INTERRUPTED, Outcome.PARKED):
        attempt(instance, 0, "validate", outcome, 1)
    record(instance, 0, "validate", attempt=3)
    move(instance, position=1, status=Status.RUNNING, attempt=1, attempt_started_at=BEGAN)
    first, second, third, *_ = get(PATH).json()["steps"]
    assert (first["status"], first["attempts"]) == ("complete", 3)
    assert first["started_at"] == "2031-01-01T10:00:00.123456Z"
    assert first["finished_at"] == "2031-01-01T10:00:01.123456Z"
    assert (second["status"], second["attempts"]) == ("running", 1)
    assert second["started_at"] == "2031-01-01T10:00:00.123456Z"
    assert (third["status"], third["attempts"]) == ("pending", 0)


def test_a_restarted_instance_counts_the_tries_of_its_generation(
    instance: Instance, get: Post
) -> None:
    attempt(instance, 0, "validate", Outcome.FAILED, 1)
    record(instance, 0, "validate", superseded=True)
    move(instance, generation=2, status=Status.QUEUED)
    first = get(PATH).json()["steps"][0]
    assert (first["status"], first["attempts"], first["finished_at"]) == ("pending", 0, None)


@pytest.mark.parametrize("reason", Reason)
def test_a_waiting_instance_says_for_what(instance: Instance, get: Post, reason: Reason) -> None:
    move(instance, status=Status.WAITING, reason=reason)
    body = get(PATH).json()
    assert (body["status"], body["waiting_for"]) == ("waiting", reason.value)
    assert body["steps"][0]["status"] == "waiting"


def test_an_instance_that_sleeps_shows_until_when(instance: Instance, get: Post) -> None:
    for position, name in enumerate(STAGES[:7]):
        record(instance, position, name)
    move(instance, position=7, status=Status.WAITING, reason=Reason.SLEEP, wake_at=BEGAN)
    (wait,) = get(PATH).json()["waits"]
    assert (wait["status"], wait["until"]) == ("waiting", "2031-01-01T10:00:00.123456Z")


def test_a_step_that_failed_for_good_shows_why(instance: Instance, get: Post) -> None:
    attempt(instance, 0, "validate", Outcome.FAILED, 1)
    error = {"type": "NonRetryableError", "message": "no source", "data": {"secret": 1}}
    move(instance, status=Status.ERRORED, error=error, finished_at=timezone.now())
    body = get(PATH).json()
    assert body["finished_at"] is not None
    step = body["steps"][0]
    assert (step["status"], step["attempts"]) == ("errored", 1)
    assert step["error"] == {"type": "NonRetryableError", "message": "no source"}


def test_a_bug_in_a_step_shows_neither_stack_nor_message(instance: Instance, get: Post) -> None:
    error = {"type": "KeyError", "message": "/srv/app/x.py", "traceback": "File /srv/app/x.py"}
    move(instance, status=Status.ERRORED, error=error)
    response = get(PATH)
    assert response.json()["steps"][0]["error"]["type"] == "KeyError"
    assert "/srv/app" not in response.content.decode()


def test_costs_are_what_is_settled_and_what_may_have_been_paid(
    instance: Instance, get: Post
) -> None:
    move(instance, status=Status.RUNNING)
    call("generate", Call.State.SETTLED, 900, 300)
    call("generate", Call.State.RELEASED, 900, None, 1)
    call("generate", Call.State.UNKNOWN, 700, None, 2)
    call("index", Call.State.SETTLED, 90, 40)
    call("cover", Call.State.HELD, 80, None)
    body = get(PATH).json()
    costs = {step["name"]: step["cost_micros"] for step in body["steps"] if step["cost_micros"]}
    assert costs == {"generate": 1000, "index": 40}
    assert body["cost_micros"] == 1040


def test_the_article_is_shown_once_it_is_live(instance: Instance, get: Post, news: Lane) -> None:
    move(instance, status=Status.COMPLETE)
    article = Article.objects.create(brief=Brief.objects.get(), lane=news, slug="a-title")
    assert get(PATH).json()["article"] is None
    Article.objects.filter(pk=article.pk).update(status=Article.Status.LIVE)
    body = get(PATH).json()
    assert body["article"] == {"url": "http://testserver/a-title/", "slug": "a-title"}
    assert body["links"]["article"] == "http://testserver/a-title/"


def test_a_complete_instance_that_was_pruned_still_says_complete(
    instance: Instance, get: Post
) -> None:
    move(instance, status=Status.COMPLETE, position=8, pruned_at=timezone.now())
    body = get(PATH).json()
    assert {step["status"] for step in body["steps"]} == {"complete"}
    assert body["waits"][0]["status"] == "complete"


def test_an_instance_of_another_lane_looks_like_an_unknown_one(
    instance: Instance, get: Post, dev: Lane
) -> None:
    other = Routine.objects.create(name="Other")
    other.lanes.add(dev)
    hidden = get(PATH, key=make_key(other))
    unknown = get("/api/admin/instances/publish-nobody")
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.content == unknown.content
