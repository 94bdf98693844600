"""The character NUL in an address: refused at the door, with the API's own form of refusal."""

import pytest
from django.test import Client


@pytest.mark.parametrize("path", ["/lanes/%00/", "/lanes/%00/feed.atom", "/%00", "/admin/%00/"])
def test_nul_in_a_path_is_nowhere(path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/plain")


@pytest.mark.parametrize("path", ["/search/?q=%00", "/admin/workflows/instance/?reason=a%00b"])
def test_nul_in_a_query_is_refused(path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/api/admin/instances/%00", 404, "not-found"), ("/api/admin/publish?a=%00", 400, "nul")],
)
def test_below_the_api_nul_is_a_problem(path: str, status: int, code: str) -> None:
    answer = Client().get(path)
    body = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert (body["type"], body["status"]) == (f"urn:presswork:problem:{code}", status)
    assert body["detail"] == "the address holds the character NUL"
    assert [fault["code"] for fault in body["errors"]] == [code]
