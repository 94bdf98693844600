"""One paid POST over HTTP: one attempt a hold, nothing by itself, every outcome sorted once.

For vendors that are spoken to without an SDK. No retries, no redirects and no kept connections:
each would be a paid request without a hold, or one of which nobody could say whether it was paid.
"""

import email.utils
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import httpx2
from django.db import connections

from publishing.providers.attempts import SendError, current_attempt
from workflows.errors import NonRetryableError, RetryableError

_CONNECT_SECONDS = 5.0
_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")
_REFUSAL_BYTES = 64 * 1024  # of an error's text; what stands behind them is not read
_OVERLOADED = 529
# May have been worked on, so may be billed; every 5xx but 529 too.
_DOUBTFUL = frozenset({408, 409, 499})
_NEVER_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.InvalidURL,
)


class Complaint(NamedTuple):
    """What a vendor says in an error: a code of its own, and words."""

    code: str
    words: str


@dataclass(frozen=True)
class Vendor:
    """Who is asked, and what is known of its answers.

    Attributes:
        base_url: name of the setting that holds its address, for messages.
        most_bytes: a longer answer is given up; the call then counts in full.
        spend_limits: codes by which it says that the account may spend no more.
        read_complaint: reads the JSON of an error.
    """

    name: str
    base_url: str
    most_bytes: int
    spend_limits: frozenset[str]
    read_complaint: Callable[[Any], Complaint]


class Posted(NamedTuple):
    """The answer: a JSON object, and the vendor's number of the request."""

    answer: dict[str, Any]
    request_id: str


def post(vendor: Vendor, url: str, *, api_key: str, body: Mapping[str, Any]) -> Posted:
    """Send the request once, under the open attempt of this thread, and return the raw answer.

    Raises:
        SendError: no answer came; it says whether that may have cost money.
    """
    timeout = httpx2.Timeout(current_attempt().seconds_left, connect=_CONNECT_SECONDS)
    # Compressed, a short answer could be a long one.
    headers = {"Authorization": f"Bearer {api_key}", "Accept-Encoding": "identity"}
    try:
        with client(os.getpid()).stream(
            "POST", url, json=dict(body), headers=headers, timeout=timeout
        ) as response:
            if response.status_code != 200:
                raise _read_status(vendor, response)
            return _read_answer(vendor, response)
    except (httpx2.RequestError, httpx2.InvalidURL) as error:
        raise _read_connection(vendor, error) from error


@lru_cache(maxsize=2)  # one a process, made after the fork
def client(pid: int) -> httpx2.Client:
    """Return the process's client; its hook refuses whatever has no open hold."""
    return httpx2.Client(
        follow_redirects=False,
        limits=httpx2.Limits(max_keepalive_connections=0),
        # A proxy of the environment never sees this machine's own addresses.
        mounts=dict.fromkeys(_LOOPBACK),
        event_hooks={"request": [_refuse_unreserved, watch_connection]},
    )


def refuse_open_transaction() -> None:
    """Refuse to wait for the network while rows may be locked, or a hold may be rolled back.

    Raises:
        SendError: this thread has a transaction open; nothing is sent.
    """
    if any(each.in_atomic_block for each in connections.all(initialized_only=True)):
        raise SendError(
            NonRetryableError("a paid request within a database transaction; send it outside"),
            may_be_billed=False,
        )


def watch_connection(request: httpx2.Request) -> None:
    """Tell the attempt of the connection that it closes when its time is over."""
    attempt = current_attempt()

    def trace(event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            attempt.watch(info["return_value"].get_extra_info("socket"))
            if attempt.is_over:
                info["return_value"].close()
                raise httpx2.ConnectTimeout("the call's deadline passed while connecting")

    request.extensions["trace"] = trace


def read_retry_after(value: str) -> timedelta | None:
    """Read the header's seconds or date (RFC 9110, 10.2.3); None where it says neither."""
    try:
        seconds = float(value)
    except ValueError:
        return _until(value)
    return timedelta(seconds=seconds) if 0 <= seconds <= 86_400 * 31 else None


def _refuse_unreserved(_: httpx2.Request) -> None:
    refuse_open_transaction()
    current_attempt().take()


def _read_answer(vendor: Vendor, response: httpx2.Response) -> Posted:
    body = _read_bytes(response, vendor.most_bytes + 1)
    if len(body) > vendor.most_bytes:
        raise _lost(f"{vendor.name} answered more than {vendor.most_bytes} bytes")
    try:
        # Infinity and NaN are no JSON, and Postgres takes neither.
        answer = json.loads(body, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise _lost(f"{vendor.name} answered what is not JSON") from error
    if not isinstance(answer, dict):
        raise _lost(f"{vendor.name} answered what is no JSON object")
    return Posted(answer, _request_id(response))


def _read_bytes(response: httpx2.Response, most: int) -> bytes:
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) >= most:
            break
    return bytes(body[:most])


def _request_id(response: httpx2.Response) -> str:
    names = ("x-request-id", "request-id", "cf-ray")
    return next((response.headers[name] for name in names if name in response.headers), "")


def _read_status(vendor: Vendor, response: httpx2.Response) -> SendError:
    """Sort a status: 3xx, 4xx, 429 and 529 refuse before work; other 5xx may have worked."""
    status = response.status_code
    complaint = _complaint_of(vendor, response)
    message = f"{vendor.name} answered {status}: {complaint.words or 'no text'}"
    data = {"status": status, "type": complaint.code, "request_id": _request_id(response)}
    if 300 <= status < 400:
        where = response.headers.get("location", "nowhere")
        message = f"{vendor.name} redirects to {where}; correct {vendor.base_url}"
        return SendError(NonRetryableError(message, data=data), may_be_billed=False)
    if status == 429 and complaint.code in vendor.spend_limits:
        message = f"{message}. The account's spend limit is reached; raise it at the vendor"
        return SendError(NonRetryableError(message, data=data), may_be_billed=False)
    if status in (429, _OVERLOADED):
        delay = read_retry_after(response.headers.get("retry-after", ""))
        return SendError(RetryableError(message, delay=delay), may_be_billed=False)
    if status in _DOUBTFUL or status >= 500 or status < 300:
        return SendError(RetryableError(message), may_be_billed=True)
    return SendError(NonRetryableError(message, data=data), may_be_billed=False)


def _complaint_of(vendor: Vendor, response: httpx2.Response) -> Complaint:
    try:
        body = json.loads(_read_bytes(response, _REFUSAL_BYTES))
    except (httpx2.RequestError, ValueError, RecursionError):  # the status alone says enough
        return Complaint("", "")
    return vendor.read_complaint(body)


def _read_connection(vendor: Vendor, error: Exception) -> SendError:
    never_sent = isinstance(error, _NEVER_SENT)
    how = "not reached" if never_sent else "reached, and its answer was lost"
    return SendError(
        RetryableError(f"{vendor.name} was {how}: {type(error).__name__} {error}".rstrip()),
        may_be_billed=not never_sent,
    )


def _lost(message: str) -> SendError:
    return SendError(RetryableError(message), may_be_billed=True)


def _until(value: str) -> timedelta | None:
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(timedelta(), moment - datetime.now(UTC))
