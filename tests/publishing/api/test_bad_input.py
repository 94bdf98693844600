"""Bodies that cannot be read and briefs that do not fit: told where, why and what to do."""

import io
import json
import tracemalloc
from typing import Any

import pytest
from django.test import Client

from lanes.models import Lane
from publishing.intake.faults import read_brief
from publishing.intake.refusals import InvalidBriefError
from publishing.payloads import Brief as Payload
from tests.publishing.api.conftest import NO_ROWS, PUBLISH, Post, a_brief, rows

pytestmark = pytest.mark.django_db


def only_error(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert rows() == NO_ROWS
    (error,) = response.json()["errors"]
    return dict(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"brief_id": "b-1"',
        b"{'brief_id': 1}",
        b'{"n": NaN}',
        b'{"n": Infinity}',
        b'{"n": -Infinity}',
        b'{"brief_id": "a", "brief_id": "b"}',
        b'{"n": ' + b"9" * 5000 + b"}",
        b'{"title": "\xff"}',
        b'{"title": "\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"[" * 20_000 + b"]" * 20_000,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        b"[" * 40 + b"]" * 40,
        b"[" * 500_000,
        b"{} {}",
        b'{"a": "\x00"}',
    ],
)
def test_a_body_that_is_no_strict_json_is_400(post: Post, body: bytes) -> None:
    assert only_error(post(body), 400)["code"] == "unreadable"


@pytest.mark.parametrize("body", [[], None, 7, "b-1", True, 1.5])
def test_a_body_that_is_no_object_is_422(post: Post, body: Any) -> None:
    error = only_error(post(body), 422)
    assert (error["pointer"], error["code"]) == ("", "not-an-object")


@pytest.mark.parametrize(
    "brief_id",
    [
        "",
        "-a",
        "a" * 93,
        "a" * 300,
        "a/b",
        "a.b",
        "a b",
        "a\n",
        "\na",
        " a",
        "é",
        "a\x00",
        "\ud800",
        None,
        7,
        True,
        ["a"],
        {"a": 1},
    ],
)
def test_a_brief_id_that_does_not_fit_is_422(post: Post, brief_id: Any) -> None:
    response = post(a_brief(brief_id=brief_id))
    error = only_error(response, 422)
    assert (response.json()["code"], error["pointer"]) == ("bad-brief-id", "/brief_id")
    assert "no timestamp" in error["fix"]


def test_a_missing_brief_id_is_422(post: Post) -> None:
    error = only_error(post({"title": "T"}), 422)
    assert (error["pointer"], error["code"]) == ("/brief_id", "missing")


@pytest.mark.parametrize("brief_id", ["a", "A_-9", "_", "a" * 92, "9"])
def test_a_brief_id_that_fits_is_kept_as_it_is(post: Post, brief_id: str) -> None:
    assert post(a_brief(brief_id=brief_id)).json()["instance_id"] == f"publish-{brief_id}"


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"title": "x" * 201}, "/title", "too-long"),
        ({"title": ""}, "/title", "too-short"),
        ({"title": 7}, "/title", "wrong-type"),
        ({"title": None}, "/title", "wrong-type"),
        ({"title": "a\x00b"}, "/title", "not-text"),
        ({"title": "\ud800"}, "/title", "not-text"),
        ({"summary": "x" * 2001}, "/summary", "too-long"),
        ({"notes": "x" * 50_001}, "/notes", "too-long"),
        ({"notes": "\x00"}, "/notes", "not-text"),
        ({"slug": "Not A Slug"}, "/slug", "pattern"),
        ({"slug": "a\n"}, "/slug", "pattern"),
        ({"slug": "a" * 81}, "/slug", "pattern"),
        ({"points": ["p"] * 31}, "/points", "too-many"),
        ({"points": ["p", "x" * 501]}, "/points/1", "too-long"),
        ({"points": "p"}, "/points", "wrong-type"),
        ({"points": {"0": "p"}}, "/points", "wrong-type"),
        ({"tags": ["t"] * 11}, "/tags", "too-many"),
        ({"tags": ["x" * 51]}, "/tags/0", "too-long"),
        ({"sources": [{"url": "https://example.org"}] * 21}, "/sources", "too-many"),
        ({"sources": [{"title": "t"}]}, "/sources/0/url", "missing"),
        ({"sources": ["https://example.org"]}, "/sources/0", "wrong-type"),
        (
            {"sources": [{"url": "https://example.org", "href": 1}]},
            "/sources/0/href",
            "unknown-field",
        ),
        ({"a/b~c": 1}, "/a~1b~0c", "unknown-field"),
        ({"\ud800": 1}, "/\\ud800", "not-text"),
        (
            {"sources": [{"url": "https://example.org", "\ud800": 1}]},
            "/sources/0/\\ud800",
            "not-text",
        ),
        ({"points": ["p", "\ud800"]}, "/points/1", "not-text"),
        ({"slug": "api"}, "/slug", "reserved-slug"),
        ({"title": " \u200b\u00ad"}, "/title", "blank"),
        ({"summary": "\u2060\n\u3000"}, "/summary", "blank"),
        ({"points": ["p", "\ufeff"]}, "/points/1", "blank"),
        ({"tags": ["\u3164"]}, "/tags/0", "blank"),
        ({"sources": [{"url": ""}]}, "/sources/0/url", "too-short"),
        ({"publish_at": "2027-03-01T09:00:00+00:60"}, "/publish_at", "not-a-time"),
        ({"publish_at": "2027-03-01T09:00:00+05:60"}, "/publish_at", "not-a-time"),
        ({"publish_at": "2027-03-01T09:00:00-00:61"}, "/publish_at", "not-a-time"),
        ({"publish_at": "2027-03-01T09:00:00+24:00"}, "/publish_at", "not-a-time"),
        ({"publish_at": "2027-03-01T23:59:60Z"}, "/publish_at", "not-a-time"),
        ({"publish_at": "0000-03-01T09:00:00Z"}, "/publish_at", "not-a-time"),
        ({"publish_at": "tomorrow"}, "/publish_at", "not-a-time"),
        ({"publish_at": "2031-01-01T10:00:00"}, "/publish_at", "not-a-time"),
        ({"publish_at": "2031-02-30T10:00:00Z"}, "/publish_at", "not-a-time"),
        ({"publish_at": "9999-12-31T23:59:59-23:59"}, "/publish_at", "not-a-time"),
        ({"publish_at": "1900000000"}, "/publish_at", "not-a-time"),
        ({"publish_at": 1_900_000_000}, "/publish_at", "not-a-time"),
        ({"publish_at": "2031-01-01T10:00:00Z\n"}, "/publish_at", "not-a-time"),
        ({"lane": "nowhere"}, "/lane", "unknown-lane"),
        ({"lane": ""}, "/lane", "too-short"),
        ({"lane": 7}, "/lane", "wrong-type"),
        ({"lane": "News"}, "/lane", "unknown-lane"),
    ],
)
def test_a_field_that_does_not_fit_is_pointed_to(
    post: Post, fields: dict[str, Any], pointer: str, code: str
) -> None:
    response = post(a_brief(**fields))
    error = only_error(response, 422)
    assert (response.json()["code"], error["pointer"], error["code"]) == (
        "invalid-brief",
        pointer,
        code,
    )


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://localhost/",
        "https://user:secret@example.org/",
        "http://a b/",
        "http://exa\x00mple.org/",
        "//example.org/",
        "x",
    ],
)
def test_a_source_that_may_not_be_fetched_is_refused_at_its_place(post: Post, url: str) -> None:
    response = post(a_brief(sources=[{"url": "https://example.org/a"}, {"url": url}]))
    assert response.status_code == 422
    errors = response.json()["errors"]
    assert {error["pointer"] for error in errors} == {"/sources/1/url"}
    assert "refused-address" in {error["code"] for error in errors}
    assert rows() == NO_ROWS


def test_a_public_source_is_taken(post: Post) -> None:
    sources = [{"url": "https://example.org/ü?q=1#x"}, {"url": "http://93.184.215.14/"}]
    assert post(a_brief(sources=sources)).status_code == 202


def test_an_unknown_lane_is_answered_with_those_that_the_key_may_use(post: Post, dev: Lane) -> None:
    error = only_error(post(a_brief(lane="newz")), 422)
    assert (error["allowed"], error["fix"]) == (["news"], "Did you mean news?")


def test_an_unknown_field_is_answered_with_the_known_ones_and_the_nearest(post: Post) -> None:
    error = only_error(post(a_brief(sumary="x")), 422)
    assert error["allowed"] == list(Payload.model_fields)
    assert error["fix"] == "Did you mean summary? Otherwise remove it."


def test_too_long_says_the_limit_and_the_length(post: Post) -> None:
    error = only_error(post(a_brief(summary="x" * 2431)), 422)
    assert error["detail"] == "summary is 2,431 characters long; the limit is 2,000"
    assert error["fix"] == "Shorten it by 431 characters."


@pytest.mark.parametrize(
    ("fields", "detail", "fix"),
    [
        (
            {"title": ""},
            "title is empty",
            "Write it, for it is needed: a string of 1 to 200 characters.",
        ),
        (
            {"sources": [{"url": ""}]},
            "url is empty",
            "Write it, for it is needed: the address of a page, http or https.",
        ),
        (
            {"points": ["", "p"]},
            "item 0 of points is empty",
            "Write something there, or remove the item.",
        ),
        (
            {"tags": ["t", " "]},
            "item 1 of tags holds nothing that can be seen",
            "Write something there, or remove the item.",
        ),
        (
            {"sources": ["u"]},
            "item 0 of sources is a string; an object is wanted",
            "Send an object.",
        ),
        (
            {"sources": [{"url": "https://example.org", "\ud800": 1}]},
            "the name \\ud800 holds a lone surrogate, which is no character",
            "Send whole characters, in UTF-8, or remove the field.",
        ),
    ],
)
def test_a_fault_names_its_field_and_what_is_needed(
    post: Post, fields: dict[str, Any], detail: str, fix: str
) -> None:
    error = only_error(post(a_brief(**fields)), 422)
    assert (error["detail"], error["fix"]) == (detail, fix)


def test_every_fault_is_told_at_once(post: Post) -> None:
    response = post({"brief_id": "b-1", "title": "", "lane": "nowhere", "x": 1})
    assert {error["pointer"] for error in response.json()["errors"]} == {
        "/title",
        "/summary",
        "/lane",
        "/x",
    }


def test_a_flood_of_faults_is_cut(post: Post) -> None:
    response = post(a_brief(**{f"x{n}": n for n in range(20_000)}))
    assert len(response.json()["errors"]) == 50


@pytest.mark.parametrize(
    "fields",
    [
        {"k" * 300_000: ["\x00"] * 3000},
        {f"{n}-" + "k" * 15_000: n for n in range(60)},
        {"points": ["\x00"] * 30, "tags": ["\x00"] * 10, "notes": {"k" * 900_000: "\x00"}},
        {"sources": [{f"{n}-{m}" + "k" * 500: m for m in range(80)} for n in range(20)]},
        {"sources": [{"url": "http://127.0.0.1/" + "k" * 5000}] * 100},
        {"publish_at": "2031-01-01T10:00:00." + "0" * 900_000 + "Z"},
        {"lane": "\ud800" * 150_000},
        {"\ud800" * 150_000: 1},
    ],
)
def test_an_answer_stays_small_whatever_is_wrong(post: Post, fields: dict[str, Any]) -> None:
    response = post(a_brief(**fields))
    assert response.status_code == 422
    assert 1 <= len(response.json()["errors"]) <= 50
    assert len(response.content) < 50_000
    assert rows() == NO_ROWS


def test_faults_are_looked_for_no_further_than_they_are_told() -> None:
    payload = a_brief(**{"k" * 300_000: ["\x00"] * 3000})
    tracemalloc.start()
    try:
        with pytest.raises(InvalidBriefError):
            read_brief(payload, lane_exists=True, allowed_lanes=["news"])
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4_000_000


def test_strings_are_taken_as_sent(post: Post) -> None:
    title = "  \uff21\u0301 title\u200b \n"
    post(a_brief(title=title))
    assert post(a_brief(title=title)).json()["changed"] == []
    assert post(a_brief(title=title.strip())).json()["changed"] == ["/title"]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data", "*/*"],
)
def test_a_body_that_is_not_announced_as_json_is_415(post: Post, content_type: str) -> None:
    response = post(b'{"brief_id": "b-1"}', content_type=content_type)
    assert only_error(response, 415)["code"] == "unsupported-media-type"


@pytest.mark.parametrize(
    "content_type", ["application/json", "APPLICATION/JSON; charset=utf-8", "application/json;x=y"]
)
def test_parameters_of_the_media_type_do_not_matter(post: Post, content_type: str) -> None:
    assert post(a_brief(), content_type=content_type).status_code == 202


def test_a_body_of_more_than_a_mebibyte_is_413(post: Post) -> None:
    body = json.dumps(a_brief(notes="x" * 2**20)).encode()
    assert only_error(post(body), 413)["code"] == "too-large"


def chunked(client: Client, key: str, body: bytes, *, is_ended_by_server: bool) -> Any:
    """Post as a WSGI server hands a chunked body on: without a length."""
    environ: dict[str, Any] = {
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": "",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": is_ended_by_server,
    }
    headers = {"Authorization": f"Bearer {key}", "Transfer-Encoding": "chunked"}
    return client.generic("POST", PUBLISH, b"", headers=headers, **environ)


def test_a_chunked_body_is_read(client: Client, key: str) -> None:
    body = json.dumps(a_brief()).encode()
    assert chunked(client, key, body, is_ended_by_server=True).status_code == 202


def test_a_chunked_body_of_more_than_a_mebibyte_is_413(client: Client, key: str) -> None:
    response = chunked(client, key, b"x" * (2**20 + 1), is_ended_by_server=True)
    assert only_error(response, 413)["code"] == "too-large"


class MalformedChunks(io.RawIOBase):
    """A stream as gunicorn's: a malformed chunk raises a class of its own, no OSError."""

    def read(self, size: int = -1) -> bytes:
        raise EOFError("Invalid chunk size: b'ZZ'")


@pytest.mark.parametrize(("sent", "status"), [("application/json", 400), ("text/plain", 415)])
def test_a_malformed_chunk_is_no_error_of_the_server(
    client: Client, key: str, sent: str, status: int
) -> None:
    environ: dict[str, Any] = {
        "CONTENT_TYPE": sent,
        "CONTENT_LENGTH": "",
        "wsgi.input": MalformedChunks(),
        "wsgi.input_terminated": True,
    }
    headers = {"Authorization": f"Bearer {key}", "Transfer-Encoding": "chunked"}
    response = client.generic("POST", PUBLISH, b"", headers=headers, **environ)
    assert only_error(response, status)["code"] in {"unreadable", "unsupported-media-type"}


def test_a_chunked_body_that_the_server_does_not_end_is_411(client: Client, key: str) -> None:
    response = chunked(client, key, b"{}", is_ended_by_server=False)
    assert only_error(response, 411)["code"] == "length-required"
