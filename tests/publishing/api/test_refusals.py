"""Briefs and requests that are refused, and the order of the checks."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from lanes.models import Lane
from publishing.intake.texts import regain_text
from publishing.keys import make_key
from publishing.models import Article, Brief, Routine, RoutineKey, Text
from tests.publishing.api.conftest import (
    NO_ROWS,
    PUBLISH,
    Post,
    a_brief,
    assert_problem,
    rows,
    set_status,
)
from workflows.models import Instance, Status

pytestmark = pytest.mark.django_db


def test_the_same_text_under_another_id_is_refused_and_the_other_is_named(post: Post) -> None:
    post(a_brief())
    before = rows()
    response = post(a_brief(brief_id="b-2", slug="other", publish_at="2031-01-01T00:00:00Z"))
    problem = assert_problem(response, 409, "same-text")
    assert "publish-b-1" in problem["detail"]
    assert rows() == before


def test_the_same_text_in_a_hidden_lane_is_refused_without_a_name(post: Post, dev: Lane) -> None:
    hidden = Routine.objects.create(name="Hidden")
    hidden.lanes.add(dev)
    post(a_brief(lane="dev", brief_id="hush"), key=make_key(hidden))
    response = post(a_brief())
    assert_problem(response, 409, "same-text")
    assert "hush" not in response.content.decode()


def test_a_field_left_out_is_the_same_text_as_its_default(post: Post) -> None:
    post(a_brief())
    response = post(a_brief(brief_id="b-2", notes=None, points=[], tags=[]))
    assert_problem(response, 409, "same-text")


@pytest.mark.parametrize("ended", [Status.ERRORED, Status.TERMINATED])
def test_a_text_whose_holder_has_failed_may_be_posted_under_a_new_id(
    post: Post, ended: Status
) -> None:
    post(a_brief())
    set_status("b-1", ended)
    assert post(a_brief(brief_id="b-2")).status_code == 202
    assert "publish-b-2" in post(a_brief(brief_id="b-3")).json()["detail"]


def test_a_complete_brief_keeps_its_text(post: Post) -> None:
    post(a_brief())
    set_status("b-1", Status.COMPLETE)
    assert_problem(post(a_brief(brief_id="b-2")), 409, "same-text")


def give_article(brief_id: str, status: str) -> None:
    brief = Brief.objects.get(brief_id=brief_id)
    Article.objects.create(brief=brief, lane=brief.lane, slug=brief_id, status=status)


def test_a_failed_brief_whose_article_is_live_keeps_its_text(post: Post) -> None:
    post(a_brief())
    give_article("b-1", "live")
    set_status("b-1", Status.ERRORED)
    before = rows()
    problem = assert_problem(post(a_brief(brief_id="b-2")), 409, "same-text")
    assert "publish-b-1" in problem["detail"]
    assert rows() == before


def test_the_text_of_a_withdrawn_article_may_be_posted_under_a_new_id(post: Post) -> None:
    post(a_brief())
    give_article("b-1", "withdrawn")
    set_status("b-1", Status.COMPLETE)
    assert post(a_brief(brief_id="b-2")).status_code == 202
    assert Text.objects.get().brief.brief_id == "b-2"


def test_a_withdrawn_article_that_is_run_again_keeps_its_text(post: Post) -> None:
    post(a_brief())
    give_article("b-1", "withdrawn")
    set_status("b-1", Status.RUNNING)
    assert_problem(post(a_brief(brief_id="b-2")), 409, "same-text")


def test_a_brief_regains_its_text_unless_another_one_may_publish_it(post: Post) -> None:
    post(a_brief())
    first = Brief.objects.get()
    set_status("b-1", Status.ERRORED)
    post(a_brief(brief_id="b-2"))
    assert regain_text(first) is False
    assert Text.objects.get().brief.brief_id == "b-2"
    set_status("b-2", Status.TERMINATED)
    assert (regain_text(first), regain_text(first)) == (True, True)
    assert Text.objects.get().brief == first


def test_a_lane_out_of_scope_is_403_and_names_what_the_key_may_use(post: Post) -> None:
    problem = assert_problem(post(a_brief(lane="dev")), 403, "lane-out-of-scope")
    assert problem["errors"][0]["allowed"] == ["news"]
    assert rows() == NO_ROWS


def test_a_closed_lane_is_409_with_its_reason(post: Post, news: Lane) -> None:
    Lane.objects.filter(pk=news.pk).update(closed_because="Summer break.")
    problem = assert_problem(post(a_brief()), 409, "lane-closed")
    assert "Summer break." in problem["detail"]
    assert rows() == NO_ROWS


def test_a_lane_without_a_bundle_is_409(post: Post, news: Lane) -> None:
    Lane.objects.filter(pk=news.pk).update(bundle=None)
    assert_problem(post(a_brief()), 409, "lane-not-ready")
    assert rows() == NO_ROWS


def test_a_routine_that_is_too_fast_is_429_with_retry_after(post: Post, routine: Routine) -> None:
    Routine.objects.filter(pk=routine.pk).update(rate_per_minute=2)
    assert [post(a_brief(brief_id=f"b-{n}", title=f"T{n}")).status_code for n in (1, 2)] == [
        202,
        202,
    ]
    before = rows()
    response = post(a_brief(brief_id="b-3", title="T3"))
    assert_problem(response, 429, "too-fast")
    assert 1 <= int(response["Retry-After"]) <= 60
    assert rows() == before


def test_a_duplicate_is_never_too_fast(post: Post, routine: Routine) -> None:
    Routine.objects.filter(pk=routine.pk).update(rate_per_minute=1)
    post(a_brief())
    assert post(a_brief()).status_code == 200


def test_briefs_older_than_a_minute_do_not_count_against_the_rate(
    post: Post, routine: Routine
) -> None:
    Routine.objects.filter(pk=routine.pk).update(rate_per_minute=1)
    post(a_brief())
    Brief.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    assert post(a_brief(brief_id="b-2", title="Two")).status_code == 202


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer pw_nobody00_" + "x" * 43, "Basic dTpw"])
def test_without_a_live_key_the_answer_is_401_with_a_challenge(
    client: Client, key: str, sent: str
) -> None:
    headers = {"Authorization": sent} if sent else {}
    response = client.post(PUBLISH, b"{", content_type="text/plain", headers=headers)
    assert_problem(response, 401, "not-authenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert rows() == NO_ROWS


def test_a_revoked_key_is_401(post: Post) -> None:
    RoutineKey.objects.update(revoked_at=timezone.now())
    assert_problem(post(a_brief()), 401, "not-authenticated")


def test_a_method_that_does_not_apply_is_405_with_allow(get: Post) -> None:
    response = get(PUBLISH)
    assert_problem(response, 405, "method-not-allowed")
    assert "POST" in response["Allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/admin",
        "/api/admin/publish/",
        "/api/admin/publish%0A",
        "/api/admin/instances/",
        "/api/admin/instances/publish-b-1/",
        "/api/admin/instances/publish-b-1%00",
        "/api/admin/instances/publish-nobody",
        "/api/wp-login.php",
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_every_other_path_of_the_api_is_a_problem_404(
    post: Post, get: Post, settings: Any, path: str, debug: bool
) -> None:
    settings.DEBUG = debug
    post(a_brief())
    assert_problem(get(path), 404, "not-found")


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("path", [PUBLISH, "/api", "/api/nowhere"])
def test_a_host_that_is_not_the_sites_is_a_problem_400_that_shows_nothing(
    client: Client, settings: Any, path: str, debug: bool
) -> None:
    settings.DEBUG = debug
    settings.ALLOWED_HOSTS = ["testserver"]
    response = client.generic("POST", path, b"{}", headers={"Host": "evil.example"})
    assert_problem(response, 400, "bad-host")
    told = response.content.decode()
    assert "evil" not in told
    assert str(settings.BASE_DIR) not in told


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "options"])
def test_an_unknown_path_is_404_by_any_method_without_a_key(client: Client, method: str) -> None:
    assert_problem(getattr(client, method)("/api/nowhere"), 404, "not-found")


def test_a_bug_is_a_problem_500_that_shows_and_leaves_nothing(
    post: Post, settings: Any, caplog: Any
) -> None:
    settings.DEBUG = True
    with connection.cursor() as cursor:
        cursor.execute("alter table publishing_text rename to elsewhere")
    response = post(a_brief())
    assert_problem(response, 500, "internal-error")
    assert "publishing_text" not in response.content.decode()
    assert "publishing_text" in caplog.text
    assert (Brief.objects.count(), Instance.objects.count()) == (0, 0)


def test_the_order_of_the_checks_is_the_published_one(post: Post, news: Lane) -> None:
    bad = a_brief(lane="dev", title="")
    assert post(b"{", key="wrong", content_type="text/plain").status_code == 401
    assert post(b"x" * 2**20 + b"x", content_type="text/plain").status_code == 415
    assert post(b"x" * 2**20 + b"x").status_code == 413
    assert post(b"x" * 2**20).status_code == 400
    assert post(bad | {"brief_id": "a b"}).json()["code"] == "bad-brief-id"
    assert post(bad).json()["code"] == "invalid-brief"
    Lane.objects.update(closed_because="Closed.")
    assert post(bad | {"title": "T"}).json()["code"] == "lane-out-of-scope"
    assert post(a_brief()).json()["code"] == "lane-closed"
    assert rows() == NO_ROWS
