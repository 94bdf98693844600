"""Text by Anthropic's Message Batches API: one request a batch, found again by its custom_id.

Only `publishing.ledger` imports it. Everything but `submit` is free of charge.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2

from publishing.providers import messages_api
from publishing.providers.attempts import open_attempt
from publishing.providers.messages_api import read_object

_PAGE = 1_000  # the most that a listing gives at once
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True)
class Batch:
    """What the vendor says of a batch.

    Attributes:
        requests: how many it holds; ours hold one.
    """

    number: str
    has_ended: bool
    requests: int
    created_at: datetime


@dataclass(frozen=True)
class Result:
    """How the one request of a batch ended.

    Attributes:
        kind: `succeeded`, `errored`, `canceled` or `expired`; only the first is billed.
        message: of `succeeded`, as the Messages API would have answered.
        error: of `errored`: the vendor's type and words.
    """

    kind: str
    message: dict[str, Any]
    error: Mapping[str, Any]


def submit(request: Mapping[str, Any], custom_id: str) -> str:
    """Send the request once as a batch of its own; return the batch's number.

    Raises:
        SendError: no number came; it says whether there may be a batch all the same.
    """
    response = messages_api.send(
        lambda api, timeout: (
            api.messages.batches.with_raw_response.create(
                requests=[{"custom_id": custom_id, "params": request}],  # type: ignore[typeddict-item]
                timeout=timeout,
            ).http_response
        )
    )
    number = read_object(response.content).get("id")
    if not isinstance(number, str) or not _NUMBER.fullmatch(number):
        raise messages_api.lost("the answer names no batch")
    return number


def retrieve(number: str) -> Batch:
    """Return how the batch stands.

    Raises:
        SendError: nobody could say; 404 means that it was deleted.
    """
    response = messages_api.send(
        lambda api, timeout: (
            api.messages.batches.with_raw_response.retrieve(number, timeout=timeout).http_response
        )
    )
    return _read_batch(read_object(response.content))


def list_since(moment: datetime, *, call: int, timeout: Any) -> Iterator[Batch]:
    """Yield the account's batches that were created since the moment, newest first.

    Each page is a request, under an attempt of its own.

    Args:
        call: the open hold, for messages.
        timeout: of each request.
    """
    after: str | None = None
    while True:
        with open_attempt(call, timeout):
            page = read_object(_list(after).content)
        rows = page.get("data")
        batches = [_read_batch(row) for row in rows] if isinstance(rows, list) else []
        yield from (batch for batch in batches if batch.created_at >= moment)
        if not batches or not page.get("has_more") or batches[-1].created_at < moment:
            return
        after = batches[-1].number


def find_result(number: str, custom_id: str) -> Result | None:
    """Return how the request with this custom_id ended; None if the batch does not hold it.

    Raises:
        SendError: the results could not be read.
    """
    response = messages_api.send(
        lambda api, timeout: api.get(
            f"/v1/messages/batches/{number}/results",
            cast_to=httpx2.Response,
            options={"timeout": timeout},
        )
    )
    for line in response.text.splitlines():
        row = read_object(line) if line.strip() else {}
        if row.get("custom_id") == custom_id:
            return _read_result(row.get("result"))
    return None


def _list(after: str | None) -> httpx2.Response:
    cursor: dict[str, Any] = {"after_id": after} if after else {}
    return messages_api.send(
        lambda api, timeout: (
            api.messages.batches.with_raw_response.list(
                limit=_PAGE, timeout=timeout, **cursor
            ).http_response
        )
    )


def _read_batch(row: Any) -> Batch:
    try:
        return Batch(
            number=str(row["id"]),
            has_ended=row["processing_status"] == "ended",
            requests=sum(int(count) for count in row["request_counts"].values()),
            created_at=datetime.fromisoformat(row["created_at"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise messages_api.lost(f"a batch cannot be read: {error!r}") from error


def _read_result(result: Any) -> Result:
    if not isinstance(result, dict) or not isinstance(result.get("type"), str):
        raise messages_api.lost("a batch's result cannot be read")
    message, error = result.get("message"), result.get("error")
    # The error stands within an envelope of its own: {"type": "error", "error": {…}}.
    inner = error.get("error") if isinstance(error, dict) else None
    if result["type"] == "succeeded" and not isinstance(message, dict):
        raise messages_api.lost("a batch's result has no message")
    return Result(
        kind=result["type"],
        message=message if isinstance(message, dict) else {},
        error=inner if isinstance(inner, dict) else {},
    )
