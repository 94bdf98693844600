"""Text by Anthropic's Messages API: one request, no retries. For `publishing.ledger` alone."""

from collections.abc import Mapping
from typing import Any

from publishing.providers import messages_api
from publishing.providers.attempts import Reply
from workflows.errors import NonRetryableError

# Everything else is refused: server tools, speed, inference_geo and their like cost money that
# no hold covers.
ALLOWED_KEYS = frozenset({"model", "max_tokens", "system", "messages", "output_config"})


def check(request: Mapping[str, Any]) -> None:
    """Refuse a request whose cost could not be bounded.

    Raises:
        NonRetryableError: a key is not of `ALLOWED_KEYS`, or max_tokens is no positive integer.
    """
    strange = sorted(request.keys() - ALLOWED_KEYS)
    if strange:
        raise NonRetryableError(
            f"a text request may not have {', '.join(strange)}: its cost could not be bounded"
        )
    most = request.get("max_tokens")
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise NonRetryableError(f"max_tokens is {most!r}; it is a positive integer")


def send(request: Mapping[str, Any]) -> Reply:
    """Send the request once, under the open attempt of this thread, and return the raw answer.

    Raises:
        SendError: no answer came; it says whether that may have cost money.
    """
    response = messages_api.send(
        lambda api, timeout: (
            api.messages.with_raw_response.create(**request, timeout=timeout).http_response
        )
    )
    return read_reply(
        messages_api.read_object(response.content), response.headers.get("request-id", "")
    )


def body_of(request: Mapping[str, Any]) -> bytes:
    """Return the body of the request as `send` would send it, byte for byte; nothing is sent."""
    return messages_api.body_of(
        lambda api: api.messages.with_raw_response.create(**request, timeout=1).http_response
    )


def read_reply(message: dict[str, Any], request_id: str) -> Reply:
    """Return a message as the ledger stores it, with the part that is priced."""
    usage = message.get("usage")
    return Reply(
        answer=message, usage=usage if isinstance(usage, dict) else {}, request_id=request_id
    )
