"""How Anthropic's API is spoken to (version 2026-10-21, SDK 2.12), and how its errors are sorted.

Only the providers of texts import this module. Whatever the vendor raises is translated here,
once. The SDK's own retries and redirects are off: each would be a paid request without a hold.
"""

import json
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, cast

import anthropic
import httpx2
from anthropic import APIRequest, APIResponse, CallNext
from django.conf import settings

from publishing.providers.attempts import SendError, current_attempt
from publishing.providers.posting import (
    read_retry_after,
    refuse_open_transaction,
    watch_connection,
)
from workflows.errors import NonRetryableError, RetryableError

_CONNECT_SECONDS = 5.0
_MOST_BYTES = 16_000_000  # of an answer; 64,000 tokens have less than one
_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")

# May have been worked on, so may be billed; 529 is overload, refused before any work.
_DOUBTFUL = frozenset({408, 409, 499})
_OVERLOADED = 529
# A cap of the account, not a rate: it lasts until the month ends (platform docs, API errors).
_SPEND_LIMIT = "enforced_spend_limit_reached"


def send(
    request: Callable[[anthropic.Anthropic, httpx2.Timeout], httpx2.Response],
) -> httpx2.Response:
    """Make one request under the open attempt of this thread.

    Raises:
        SendError: no answer came; it says whether that may have cost money.
    """
    attempt = current_attempt()
    api = _client(os.getpid(), settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL)
    try:
        return request(api, httpx2.Timeout(attempt.seconds_left, connect=_CONNECT_SECONDS))
    except anthropic.APIStatusError as error:
        raise _read_status(error) from error
    except (anthropic.APIConnectionError, httpx2.RequestError) as error:
        raise _read_connection(error) from error


def body_of(request: Callable[[anthropic.Anthropic], httpx2.Response]) -> bytes:
    """Return the body that a request would have; it goes to no network and needs no key."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json={}))
    with anthropic.Anthropic(
        api_key="none", max_retries=0, http_client=httpx2.Client(transport=transport)
    ) as api:
        return request(api).request.content


def read_object(text: bytes | str) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises:
        SendError: it is none; it may have been paid for.
    """
    try:
        # Infinity and NaN are no JSON, and Postgres takes neither.
        answer = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise lost("the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise lost("the answer is no JSON object")
    return answer


def lost(message: str) -> SendError:
    """Return the error of a request that was worked on and brought nothing to be used."""
    return SendError(RetryableError(message), may_be_billed=True)


@lru_cache(maxsize=4)  # one a process, made after the fork; more only where settings change
def _client(pid: int, api_key: str, base_url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        api_key=api_key,
        base_url=base_url,
        max_retries=0,
        # Compressed, a short answer could be a long one.
        default_headers={"Accept-Encoding": "identity"},
        middleware=[_refuse_unreserved],
        http_client=anthropic.DefaultHttpxClient(
            follow_redirects=False,
            # A connection kept open may be closed by the server as we write to it; then nobody
            # could say whether the request was paid. A new one costs a handshake.
            limits=httpx2.Limits(max_keepalive_connections=0),
            # A proxy of the environment never sees this machine's own addresses.
            mounts=dict.fromkeys(_LOOPBACK),
            event_hooks={"request": [watch_connection], "response": [_bound_answer]},
        ),
    )


def _refuse_unreserved(request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
    """Let an HTTP attempt through only if the ledger holds money for it; one a hold."""
    refuse_open_transaction()
    current_attempt().take()
    return call_next(request)


def _bound_answer(response: httpx2.Response) -> None:
    """Give up an answer that is longer than any: the SDK reads all of it into memory."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.DecodingError("the answer is compressed, which it was asked not to be")
    response.stream = _BoundedStream(cast("httpx2.SyncByteStream", response.stream))


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        for part in self._stream:
            received += len(part)
            if received > _MOST_BYTES:
                raise httpx2.ReadError(f"it is longer than {_MOST_BYTES} bytes")
            yield part

    def close(self) -> None:
        self._stream.close()


def _read_connection(error: Exception) -> SendError:
    cause = error.__cause__ or error
    never_sent = isinstance(
        cause, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
    )
    how = "not reached" if never_sent else "reached, and its answer was lost"
    return SendError(
        RetryableError(f"the Messages API was {how}: {type(cause).__name__} {cause}".rstrip()),
        may_be_billed=not never_sent,
    )


def _read_status(error: anthropic.APIStatusError) -> SendError:
    """Sort a status: 4xx, 429 and 529 refuse before work; other 5xx may have worked."""
    status = error.status_code
    message = f"the Messages API answered {status}: {error.api_message or error.type or 'no text'}"
    data = {"status": status, "type": error.type, "request_id": error.request_id}
    if 300 <= status < 400:
        where = error.response.headers.get("location", "nowhere")
        message = f"the Messages API redirects to {where}; correct ANTHROPIC_BASE_URL"
        return SendError(NonRetryableError(message, data=data), may_be_billed=False)
    if status == 429 and error.error_code == _SPEND_LIMIT:
        message = f"{message}. The account's spend limit is reached; raise it at the vendor"
        return SendError(NonRetryableError(message, data=data), may_be_billed=False)
    if status in (429, _OVERLOADED):
        delay = read_retry_after(error.response.headers.get("retry-after", ""))
        return SendError(RetryableError(message, delay=delay), may_be_billed=False)
    if status in _DOUBTFUL or status >= 500 or status < 300:
        return SendError(RetryableError(message), may_be_billed=True)
    return SendError(NonRetryableError(message, data=data), may_be_billed=False)
