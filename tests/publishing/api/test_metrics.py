"""GET /metrics: for the holder of the one token; without a token set, nowhere."""

from typing import Any

import pytest
from django.test import Client

from tests.publishing.api.conftest import assert_problem

pytestmark = pytest.mark.django_db
TOKEN = "scrape-me-0123456789"


def ask(client: Client, token: str | None = None, *, method: str = "get", **more: Any) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return getattr(client, method)("/metrics", headers=headers | more)


def test_the_holder_of_the_token_gets_prometheus_text(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = ask(client, TOKEN)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer["Cache-Control"] == "no-store"
    assert b'workflows_instances{reason="",state="queued"} 0.0\n' in answer.content


def test_a_reader_of_openmetrics_gets_that(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = ask(client, TOKEN, Accept="application/openmetrics-text;version=1.0.0")
    assert answer["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.content.endswith(b"# EOF\n")


def test_head_answers_without_a_body(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = ask(client, TOKEN, method="head")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], TOKEN + "x", "ä"])
def test_whoever_lacks_the_token_is_refused(
    client: Client, settings: Any, token: str | None
) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = ask(client, token)
    problem = assert_problem(answer, 401, "not-authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="presswork metrics"'
    assert TOKEN not in str(problem)


def test_the_token_under_another_scheme_is_refused(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = client.get("/metrics", headers={"Authorization": f"Basic {TOKEN}"})
    assert_problem(answer, 401, "not-authenticated")


@pytest.mark.parametrize("token", [None, "", TOKEN])
@pytest.mark.parametrize("method", ["get", "post"])
def test_without_a_token_set_there_is_nothing_for_anybody(
    client: Client, settings: Any, token: str | None, method: str
) -> None:
    settings.METRICS_TOKEN = ""
    assert_problem(ask(client, token, method=method), 404, "not-found")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_only_get_and_head_are_answered(client: Client, settings: Any, method: str) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = ask(client, TOKEN, method=method)
    assert_problem(answer, 405, "method-not-allowed")
    assert answer["Allow"] == "GET, HEAD"
