"""The API behind a real server, with real connections."""

import json
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django import db

from publishing.models import Brief, Routine, Text
from tests.publishing.api.conftest import PUBLISH, a_brief, rows, set_status
from workflows.models import Status

pytestmark = pytest.mark.django_db(transaction=True)
Send = Callable[[bytes], tuple[int, Any]]


@pytest.fixture
def send(transactional_db: None, live_server: Any, key: str) -> Send:
    """Post over a connection of its own; return status and JSON."""
    address = urlsplit(live_server.url)

    def post(body: bytes) -> tuple[int, Any]:
        connection = HTTPConnection(address.hostname or "", address.port, timeout=60)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        try:
            connection.request("POST", PUBLISH, body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    return post


def all_at_once(send: Send, briefs: list[dict[str, Any]]) -> Counter[int]:
    with ThreadPoolExecutor(len(briefs)) as threads:
        answers = threads.map(send, [json.dumps(brief).encode() for brief in briefs])
        return Counter(status for status, _ in answers)


def test_of_fifty_simultaneous_posts_one_creates(send: Send) -> None:
    assert all_at_once(send, [a_brief()] * 50) == {202: 1, 200: 49}
    assert rows() == {"Brief": 1, "Instance": 1, "Slug": 0, "Text": 1}
    assert Brief.objects.get().duplicates == 49


def test_of_fifty_simultaneous_posts_of_a_limited_routine_one_creates(
    send: Send, routine: Routine
) -> None:
    Routine.objects.update(rate_per_minute=1)
    assert all_at_once(send, [a_brief()] * 50) == {202: 1, 200: 49}


def test_of_twenty_ids_with_one_text_one_creates(send: Send) -> None:
    briefs = [a_brief(brief_id=f"b-{number}") for number in range(20)]
    assert all_at_once(send, briefs) == {202: 1, 409: 19}
    assert rows() == {"Brief": 1, "Instance": 1, "Slug": 0, "Text": 1}


def test_of_twenty_ids_that_want_the_text_of_a_failed_brief_one_gets_it(send: Send) -> None:
    send(json.dumps(a_brief()).encode())
    set_status("b-1", Status.ERRORED)
    briefs = [a_brief(brief_id=f"c-{number}") for number in range(20)]
    assert all_at_once(send, briefs) == {202: 1, 409: 19}
    assert Text.objects.get().brief.brief_id.startswith("c-")


def test_a_limit_holds_against_simultaneous_posts(send: Send, routine: Routine) -> None:
    Routine.objects.update(rate_per_minute=3)
    briefs = [a_brief(brief_id=f"b-{number}", title=f"T{number}") for number in range(20)]
    assert all_at_once(send, briefs) == {202: 3, 429: 17}
    assert rows()["Instance"] == 3


@pytest.mark.parametrize("mebibytes", [2, 7])
def test_a_client_that_sends_far_too_much_sees_the_413(send: Send, mebibytes: int) -> None:
    status, problem = send(b"x" * mebibytes * 2**20)
    assert (status, problem["code"]) == (413, "too-large")


def test_a_client_that_is_refused_for_its_key_sees_the_401(live_server: Any) -> None:
    address = urlsplit(live_server.url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        connection.request("POST", PUBLISH, b"x" * 4 * 2**20, {"Authorization": "Bearer no"})
        assert connection.getresponse().status == 401
    finally:
        connection.close()


def test_a_body_that_breaks_off_creates_nothing(live_server: Any, key: str) -> None:
    address = urlsplit(live_server.url)
    body = json.dumps(a_brief()).encode()
    head = (
        f"POST {PUBLISH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body) + 1}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=60) as wire:
        wire.sendall(head.encode() + body[:-1])
        wire.shutdown(socket.SHUT_WR)
        status_line = wire.makefile("rb").readline()
    assert b"400" in status_line
    assert rows()["Instance"] == 0


def test_an_id_that_a_twin_holds_for_too_long_is_503_and_nothing_is_created(send: Send) -> None:
    send(json.dumps(a_brief()).encode())
    Brief.objects.all().delete()
    parameters = db.connections["default"].get_connection_params()
    parameters.pop("pool", None)
    with psycopg.connect(**parameters) as twin:
        twin.execute("update workflows_instance set key = 'b-2' where key = 'b-1'")
        status, problem = send(json.dumps(a_brief(brief_id="b-2")).encode())
        twin.rollback()
    assert (status, problem["code"]) == (503, "busy")
    assert rows() == {"Brief": 0, "Instance": 1, "Slug": 0, "Text": 0}
