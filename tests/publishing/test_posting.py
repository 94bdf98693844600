"""Every paid provider without an SDK, in every case: what is raised, what may be billed, how often.

The servers stand in the vendors' places; the code is the product's.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from pytest_django import Settings

from publishing import embedding
from publishing.covers import asking
from publishing.providers import images, posting, voyage
from publishing.providers.attempts import Reply, SendError, open_attempt
from tests.publishing.anthropic_server import (
    AnthropicServer,
    Exchange,
    Script,
    cuts,
    drops,
    hangs,
    redirects,
    serve_anthropic,
    trickles,
)
from tests.publishing.image_servers import draws
from tests.publishing.voyage_server import embeds
from workflows.errors import NonRetryableError, RetryableError

RETRY, STOP = RetryableError, NonRetryableError
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there


@dataclass(frozen=True)
class Place:
    """A provider, whom it asks, and how that vendor complains."""

    module: Any
    base_url: str
    answers: Script
    spend_limit: dict[str, Any]
    spend_status: int = 429

    def request(self) -> dict[str, Any]:
        if self.module is voyage:
            return embedding.build_request(["one", "two"])
        model = asking.OPENAI_MODEL if "OPENAI" in self.base_url else asking.WORKERS_AI_MODEL
        return asking.build_request(model, title="Clocks", summary="On clocks.")

    def send(self, seconds: float = 30) -> Reply:
        with open_attempt(1, timedelta(seconds=seconds)):
            reply: Reply = self.module.send(self.request())
        return reply


PLACES = {
    # Voyage names no code for a spend limit; an account that cannot pay is told so by 402.
    "voyage": Place(voyage, "VOYAGE_BASE_URL", embeds, {"detail": "add a card"}, 402),
    "workers-ai": Place(
        images,
        "WORKERS_AI_BASE_URL",
        draws,
        {"success": False, "errors": [{"code": 3036, "message": "no neurons left"}]},
    ),
    "openai": Place(
        images,
        "OPENAI_BASE_URL",
        draws,
        {"error": {"code": "insufficient_quota", "message": "no money left"}},
    ),
}


@pytest.fixture(params=list(PLACES.values()), ids=list(PLACES))
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.param
    return found


@pytest.fixture
def server(place: Place, settings: Settings, tmp_path: Any) -> Iterator[AnthropicServer]:
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "publishing.providers.objects.ContentAddressedFileStorage",
            "OPTIONS": {"location": tmp_path, "base_url": "/media/"},
        }
    }
    settings.VOYAGE_API_KEY = settings.OPENAI_API_KEY = "sk-test"
    settings.CLOUDFLARE_ACCOUNT_ID, settings.CLOUDFLARE_API_TOKEN = "acct", "sk-test"
    with serve_anthropic(place.answers) as running:
        setattr(settings, place.base_url, running.url)
        yield running


def status(code: int, **headers: str) -> Script:
    return lambda exchange: exchange.reply(code, {"detail": "no"}, **headers)


def raw(text: str) -> Script:
    return lambda exchange: exchange.reply(200, text)


def flood(exchange: Exchange) -> None:
    """Send without end, as fast as the reader takes it."""
    exchange.handler.send_response(200)
    exchange.handler.end_headers()
    exchange.handler.close_connection = True
    while not exchange.server.go_on.is_set():
        exchange.handler.wfile.write(b" " * 1_000_000)


CASES: dict[str, tuple[Script, type[Exception], bool]] = {
    "hang": (hangs, RETRY, True),
    "trickle": (trickles, RETRY, True),
    "reset": (drops, RETRY, True),
    "cut": (cuts, RETRY, True),
    "stream without end": (flood, RETRY, True),
    "400": (status(400), STOP, False),
    "401": (status(401), STOP, False),
    "402": (status(402), STOP, False),
    "403": (status(403), STOP, False),
    "404": (status(404), STOP, False),
    "408": (status(408), RETRY, True),
    "413": (status(413), STOP, False),
    "422": (status(422), STOP, False),
    "429": (status(429, retry_after="7"), RETRY, False),
    "499": (status(499), RETRY, True),
    "500": (status(500), RETRY, True),
    "503": (status(503), RETRY, True),
    "529": (status(529), RETRY, False),
    "another 2xx": (status(202), RETRY, True),
    "redirect": (redirects("/elsewhere"), STOP, False),
    "not JSON": (raw("<html>"), RETRY, True),
    "deep JSON": (raw("[" * 100_000), RETRY, True),
    "no object": (raw("[1]"), RETRY, True),
}


@pytest.mark.parametrize(("script", "kind", "billed"), CASES.values(), ids=CASES.keys())
def test_each_outcome_is_sorted_once_and_asked_for_once(
    place: Place, server: AnthropicServer, script: Script, kind: type[Exception], billed: bool
) -> None:
    server.script = script
    with pytest.raises(SendError) as failed:
        place.send(seconds=0.7 if script in (hangs, trickles) else 30)
    assert type(failed.value.error) is kind
    assert failed.value.may_be_billed is billed
    assert len(server.requests) == 1


def test_a_spend_limit_is_no_rate_and_stops(place: Place, server: AnthropicServer) -> None:
    server.script = lambda exchange: exchange.reply(place.spend_status, place.spend_limit)
    with pytest.raises(SendError) as failed:
        place.send()
    assert isinstance(failed.value.error, NonRetryableError)
    assert failed.value.may_be_billed is False
    assert len(server.requests) == 1


def test_what_cannot_be_reached_was_not_sent(
    place: Place, server: AnthropicServer, settings: Settings
) -> None:
    for address in (NOBODY, "nowhere", "ftp://127.0.0.1"):
        setattr(settings, place.base_url, address)
        with pytest.raises(SendError) as failed:
            place.send()
        assert isinstance(failed.value.error, RetryableError)
        assert failed.value.may_be_billed is False
    assert server.requests == []


def test_the_wait_that_is_asked_for_is_handed_on(place: Place, server: AnthropicServer) -> None:
    server.script = status(429, retry_after="7")
    with pytest.raises(SendError) as failed:
        place.send()
    assert isinstance(failed.value.error, RetryableError)
    assert failed.value.error.delay == timedelta(seconds=7)


def test_a_redirect_names_the_setting(place: Place, server: AnthropicServer) -> None:
    server.script = redirects("/elsewhere")
    with pytest.raises(SendError, match=place.base_url):
        place.send()


def test_the_answer_comes_back_with_its_usage_and_number(
    place: Place, server: AnthropicServer
) -> None:
    reply = place.send()
    (request,) = server.requests
    assert request.headers["Authorization"] == "Bearer sk-test"
    assert reply.request_id == "req_1"
    assert reply.usage
    assert len(json.dumps(reply.answer)) < 5_000


def test_without_an_open_hold_nothing_is_sent(place: Place, server: AnthropicServer) -> None:
    with pytest.raises(SendError, match="without an open hold"):
        place.module.send(place.request())
    with pytest.raises(SendError, match="without an open hold"):
        posting.client(os.getpid()).post(server.url, json={})
    assert server.requests == []


def test_a_hold_allows_one_request(place: Place, server: AnthropicServer) -> None:
    with open_attempt(7, timedelta(seconds=30)):
        place.module.send(place.request())
        with pytest.raises(SendError, match="call 7 has sent its one request already"):
            place.module.send(place.request())
    assert len(server.requests) == 1


@pytest.mark.django_db(transaction=True)
def test_within_a_transaction_nothing_is_sent(place: Place, server: AnthropicServer) -> None:
    with transaction.atomic(), pytest.raises(SendError, match="within a database transaction"):
        place.send()
    assert server.requests == []


@pytest.mark.parametrize(
    "change",
    [
        {"n": 2},
        {"quality": "auto"},
        {"size": "4096x4096"},
        {"size": ["1024x1024"]},
        {"steps": 8},
        {"steps": True},
        {"tools": []},
        {"model": "@cf/x", "width": 4096},
        {"prompt": ""},
        {"prompt": "x" * 2_049},
        {"input": []},
        {"input": ["x"] * 101},
        {"input": [""]},
        {"input": "x"},
        {"input_type": "query"},
        {"truncation": True},
        {"output_dimension": 384},
        {"output_dtype": "int8"},
    ],
)
def test_what_is_not_known_to_be_priced_is_refused(place: Place, change: dict[str, Any]) -> None:
    place.module.check(place.request())
    with pytest.raises(NonRetryableError):
        place.module.check(place.request() | change)
