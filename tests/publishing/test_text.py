"""The Messages API as we speak it: one request a hold, nothing by itself, errors in our words."""

import gzip
import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from publishing.providers import messages_api, text
from publishing.providers.attempts import SendError, current_attempt, open_attempt
from tests.publishing.anthropic_server import (
    AnthropicServer,
    Exchange,
    Script,
    cuts,
    drops,
    fails,
    hangs,
    message,
    redirects,
    trickles,
)
from workflows.errors import NonRetryableError, RetryableError

REQUEST = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "specs", "cache_control": {"type": "ephemeral"}}],
    "messages": [{"role": "user", "content": "write"}],
}


def send(*, seconds: float = 30, request: dict[str, Any] = REQUEST) -> Any:
    with open_attempt(1, timedelta(seconds=seconds)):
        return text.send(request)


def failure(server: AnthropicServer, script: Script) -> SendError:
    server.script = script
    with pytest.raises(SendError) as raised:
        send()
    assert len(server.requests) == 1
    return raised.value


def test_the_request_arrives_as_it_was_given_and_the_answer_comes_back_whole(
    anthropic_server: AnthropicServer,
) -> None:
    reply = send()
    (request,) = anthropic_server.requests
    assert request.path == "/v1/messages"
    assert request.body == REQUEST
    assert request.headers["Authorization"] == "Bearer sk-test"
    assert request.headers["anthropic-version"] == "2026-10-21"
    assert request.headers["x-stainless-retry-count"] == "0"
    assert (reply.answer, reply.usage) == (message(), message()["usage"])
    assert reply.request_id == "req_1"


def test_without_an_open_hold_nothing_is_sent(anthropic_server: AnthropicServer) -> None:
    with pytest.raises(SendError) as refused:
        text.send(REQUEST)
    assert isinstance(refused.value.error, NonRetryableError)
    assert refused.value.may_be_billed is False
    assert anthropic_server.requests == []


def test_a_hold_allows_one_request(anthropic_server: AnthropicServer) -> None:
    with open_attempt(7, timedelta(seconds=30)):
        text.send(REQUEST)
        with pytest.raises(SendError, match="call 7 has sent its one request already"):
            text.send(REQUEST)
    assert len(anthropic_server.requests) == 1


def test_the_client_itself_refuses_an_attempt_without_a_hold(
    anthropic_server: AnthropicServer, settings: Any
) -> None:
    send()
    key, url = settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL
    client = messages_api._client(os.getpid(), key, url)
    with pytest.raises(SendError):
        client.messages.create(model="m", max_tokens=1, messages=[])
    with pytest.raises(SendError):
        client.messages.batches.create(requests=[])
    assert len(anthropic_server.requests) == 1


def test_a_redirect_is_not_followed_and_names_the_setting(
    anthropic_server: AnthropicServer,
) -> None:
    failed = failure(anthropic_server, redirects("/v1/messages"))
    assert isinstance(failed.error, NonRetryableError)
    assert "ANTHROPIC_BASE_URL" in str(failed.error)


@pytest.mark.parametrize(
    ("header", "delay"),
    [
        ({"retry_after": "7"}, timedelta(seconds=7)),
        ({"retry_after": "0.5"}, timedelta(seconds=0.5)),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "Mon, 02 Jan 2023 00:00:00 GMT"}, timedelta()),
        ({}, None),
    ],
)
def test_the_wait_that_the_api_asks_for_is_handed_on(
    anthropic_server: AnthropicServer, header: dict[str, str], delay: timedelta | None
) -> None:
    error = failure(anthropic_server, fails(429, "rate_limit_error", **header)).error
    assert isinstance(error, RetryableError)
    assert error.delay == delay


def test_a_date_to_come_is_a_wait(anthropic_server: AnthropicServer) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    error = failure(anthropic_server, fails(529, "overloaded_error", retry_after=moment)).error
    assert isinstance(error, RetryableError)
    assert error.delay is not None
    assert timedelta(minutes=50) < error.delay <= timedelta(hours=1)


@pytest.mark.parametrize("script", [drops, cuts], ids=["reset", "cut"])
def test_a_lost_answer_may_be_billed_and_is_not_asked_for_again(
    anthropic_server: AnthropicServer, script: Script
) -> None:
    failed = failure(anthropic_server, script)
    assert failed.may_be_billed is True
    assert isinstance(failed.error, RetryableError)


def compresses(exchange: Exchange) -> None:
    exchange.reply(200, gzip.compress(json.dumps(message()).encode()).decode("latin-1"),
                   content_encoding="gzip")  # fmt: skip


def test_an_answer_that_is_compressed_unasked_is_not_unpacked(
    anthropic_server: AnthropicServer,
) -> None:
    failed = failure(anthropic_server, compresses)
    assert failed.may_be_billed is True
    assert "compressed" in str(failed.error)
    assert anthropic_server.requests[0].headers["Accept-Encoding"] == "identity"


def slow_headers(exchange: Exchange) -> None:
    exchange.handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not exchange.server.go_on.wait(0.05):
        exchange.handler.wfile.write(b"x")
        exchange.handler.wfile.flush()


@pytest.mark.parametrize("script", [hangs, trickles, slow_headers])
def test_the_deadline_ends_a_call_however_the_answer_dawdles(
    anthropic_server: AnthropicServer, script: Script
) -> None:
    anthropic_server.script = script
    with pytest.raises(SendError) as failed:
        send(seconds=0.7)
    assert failed.value.may_be_billed is True
    assert not anthropic_server.go_on.is_set()


def test_an_error_shows_what_the_api_said(anthropic_server: AnthropicServer) -> None:
    error = failure(anthropic_server, fails(400, "invalid_request_error")).error
    assert str(error) == "the Messages API answered 400: invalid_request_error here"
    assert isinstance(error, NonRetryableError)
    assert error.data == {
        "status": 400,
        "type": "invalid_request_error",
        "request_id": "req_1",
    }


def test_threads_share_a_client_and_keep_their_attempts_apart(
    anthropic_server: AnthropicServer,
) -> None:
    calls: list[int] = []

    def run(number: int) -> None:
        with open_attempt(number, timedelta(seconds=30)):
            text.send(REQUEST)
            calls.append(current_attempt().call)

    threads = [threading.Thread(target=run, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(calls) == list(range(8))
    assert len(anthropic_server.requests) == 8


def test_a_proxy_of_the_environment_does_not_see_this_machine(
    anthropic_server: AnthropicServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    settings.ANTHROPIC_API_KEY = "sk-made-after-the-proxy"
    send()
    assert len(anthropic_server.requests) == 1


def test_an_attempt_over_before_it_connects_sends_nothing(
    anthropic_server: AnthropicServer,
) -> None:
    with open_attempt(1, timedelta(seconds=30)) as attempt:
        attempt.ends_at = time.monotonic()
        with pytest.raises(SendError) as failed:
            text.send(REQUEST)
    assert failed.value.may_be_billed is False
    assert anthropic_server.requests == []


@pytest.mark.parametrize("max_tokens", [None, 0, -1, True, "100", 1.5])
def test_max_tokens_is_a_positive_integer(max_tokens: object) -> None:
    with pytest.raises(NonRetryableError):
        text.check(REQUEST | {"max_tokens": max_tokens})
