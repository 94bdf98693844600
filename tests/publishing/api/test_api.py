"""Briefs that are taken, once for each brief_id: 202 and 200."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from lanes.models import Bundle, Lane
from publishing.keys import make_key
from publishing.models import Brief, Bucket, Cap, Routine
from tests.publishing.api.conftest import (
    PUBLISH,
    Post,
    a_brief,
    assert_problem,
    rows,
    set_status,
)
from workflows.models import Envelope, Instance, Status

pytestmark = pytest.mark.django_db


def test_a_new_brief_is_answered_202_with_its_location_and_instance(post: Post) -> None:
    response = post(a_brief())
    assert response.status_code == 202
    assert response["Location"] == "/api/admin/instances/publish-b-1"
    body = response.json()
    assert (body["detail"], body["instance_id"], body["brief_id"], body["lane"]) == (
        "queued",
        "publish-b-1",
        "b-1",
        "news",
    )
    assert (body["status"], body["waiting_for"], body["cost_micros"]) == ("queued", None, 0)
    assert rows() == {"Brief": 1, "Instance": 1, "Slug": 0, "Text": 1}


def test_the_envelope_freezes_the_brief_its_lane_and_its_bundle(post: Post, news: Lane) -> None:
    post(a_brief(publish_at="2031-05-01t09:00:00z", notes=None))
    envelope = Envelope.objects.get().data
    assert envelope == {
        "brief": a_brief(publish_at="2031-05-01T09:00:00Z", notes=None),
        "lane": "news",
        "bundle": news.bundle_id,
        "graph": None,
        "options": None,
    }
    assert Brief.objects.get().payload["publish_at"] == "2031-05-01t09:00:00z"


def test_an_instance_is_partitioned_by_lane_and_keyed_by_the_brief_id_alone(post: Post) -> None:
    post(a_brief(brief_id="_x-Y_9"))
    instance = Instance.objects.get()
    assert (instance.workflow, instance.key, instance.partition) == ("publish", "_x-Y_9", "news")
    assert (instance.instance_id, instance.trigger) == ("publish-_x-Y_9", "api")


def test_a_brief_posted_again_is_absorbed_as_already_queued(post: Post) -> None:
    post(a_brief())
    response = post(a_brief())
    assert response.status_code == 200
    assert response["Location"] == "/api/admin/instances/publish-b-1"
    assert (response.json()["detail"], response.json()["changed"]) == ("already queued", [])
    assert Brief.objects.get().duplicates == 1
    assert rows()["Instance"] == 1


def test_a_duplicate_names_what_differs_and_the_first_one_stands(post: Post) -> None:
    post(a_brief(points=["one", "two"], sources=[{"url": "https://example.org/a"}]))
    changed = post(
        a_brief(
            title="Another",
            lane="dev",
            points=["one", "2", "three"],
            sources=[{"url": "https://example.org/b"}],
            extra=1,
        )
    ).json()["changed"]
    assert changed == ["/extra", "/lane", "/points/1", "/points/2", "/sources/0/url", "/title"]
    assert Brief.objects.get().payload["title"] == "A title"


@pytest.mark.parametrize(
    "redraft",
    [
        {"brief_id": "b-1"},
        a_brief(title="x" * 5000, lane="nowhere", unknown="\x00"),
        a_brief(lane=7, title="\ud800", **{"\udfff": 1}),
        a_brief(sources=[{"url": "http://127.0.0.1/"}]),
    ],
)
def test_a_duplicate_is_never_an_error_whatever_else_it_holds(post: Post, redraft: Any) -> None:
    post(a_brief())
    response = post(redraft)
    assert (response.status_code, response.json()["detail"]) == (200, "already queued")
    assert response.json()["changed"]


def test_the_places_that_differ_are_cut_however_long_their_names(post: Post) -> None:
    post(a_brief())
    (place,) = post(a_brief(**{"x" * 300_000: 1})).json()["changed"]
    assert place == "/" + "x" * 199 + "…"


def test_a_duplicate_in_a_lane_that_has_closed_is_absorbed(post: Post, news: Lane) -> None:
    post(a_brief())
    Lane.objects.filter(pk=news.pk).update(closed_because="Summer break.")
    assert post(a_brief()).status_code == 200


@pytest.mark.parametrize("status", Status)
def test_a_duplicate_shows_the_instance_in_any_state(post: Post, status: Status) -> None:
    post(a_brief())
    set_status("b-1", status)
    response = post(a_brief())
    assert (response.status_code, response.json()["status"]) == (200, status.label)


def test_a_duplicate_of_an_errored_instance_says_that_only_an_operator_helps(post: Post) -> None:
    post(a_brief())
    set_status("b-1", Status.ERRORED)
    told = post(a_brief()).json()["next"]
    assert "operator must retry" in told
    assert "same text under a new brief_id" in told
    assert "a brief with other sources is another brief" in told


def test_a_brief_id_taken_in_a_hidden_lane_tells_nothing_else(
    post: Post, dev: Lane, news: Lane
) -> None:
    hidden = Routine.objects.create(name="Hidden")
    hidden.lanes.add(dev)
    post(a_brief(lane="dev", title="Secret"), key=make_key(hidden))
    response = post(a_brief(title=7))
    problem = assert_problem(response, 409, "brief-id-taken")
    assert [error["pointer"] for error in problem["errors"]] == ["/brief_id"]
    for secret in ("dev", "Secret", "publish-b-1"):
        assert secret not in response.content.decode()
    assert Brief.objects.get().duplicates == 0


def test_the_bundle_is_the_one_in_use_when_the_brief_arrives(post: Post, news: Lane) -> None:
    post(a_brief())
    first = news.bundle_id
    newer = Bundle.objects.create(
        lane=news, version=2, voice="New.", audience="All.", brief_hints=""
    )
    Lane.objects.filter(pk=news.pk).update(bundle=newer)
    post(a_brief(brief_id="b-2", title="Two"))
    assert list(Brief.objects.order_by("pk").values_list("bundle_id", flat=True)) == [
        first,
        newer.pk,
    ]


def test_when_the_money_of_today_is_spent_the_brief_is_kept_and_the_reset_is_told(
    post: Post,
) -> None:
    today = datetime.now(UTC).date()
    Cap.objects.update_or_create(scope="day", name="", defaults={"cap_micros": 500})
    Bucket.objects.create(key=f"day:{today}", cap_micros=500, spent_micros=500)
    response = post(a_brief())
    body = response.json()
    assert response.status_code == 202
    assert body["budget"]["resets_at"] == f"{today + timedelta(days=1)}T00:00:00Z"
    assert body["budget"]["resets_at"] in body["next"]
    assert "until an operator raises the cap and retries it" in body["next"]


def test_answers_are_json_whatever_is_accepted(client: Client, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/html"}
    response = client.post(
        PUBLISH, json.dumps(a_brief()), content_type="application/json", headers=headers
    )
    assert (response.status_code, response["Content-Type"]) == (202, "application/json")
