"""Embeddings by Voyage's HTTP API: one request, no retries. Only `publishing.ledger` imports it."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from publishing.providers.attempts import Reply
from publishing.providers.posting import Complaint, Vendor, post
from workflows.errors import NonRetryableError

MOST_TEXTS = 100
# Everything else is refused, and of these but what costs by the text alone.
FIXED = {"input_type": "document", "truncation": False, "encoding_format": "base64"}
ALLOWED_KEYS = frozenset({"model", "input", "output_dimension", *FIXED})
DIMENSIONS = (256, 512, 1024, 2048)  # what the voyage-4 models give


def check(request: Mapping[str, Any]) -> None:
    """Refuse a request whose cost could not be bounded, or that the vendor would refuse.

    Raises:
        NonRetryableError: a key or value is not one of those that are known.
    """
    strange = sorted(request.keys() - ALLOWED_KEYS)
    if strange:
        raise NonRetryableError(
            f"a request for embeddings may not have {', '.join(strange)}: its cost could not be "
            "bounded"
        )
    for name, value in FIXED.items():
        if request.get(name) != value:
            raise NonRetryableError(f"{name} is {request.get(name)!r}; it is {value!r}")
    if request.get("output_dimension") not in DIMENSIONS:
        raise NonRetryableError(f"output_dimension is one of {', '.join(map(str, DIMENSIONS))}")
    _check_texts(request.get("input"))


def send(request: Mapping[str, Any]) -> Reply:
    """Send the request once, under the open attempt of this thread, and return the raw answer.

    Raises:
        SendError: no answer came; it says whether that may have cost money.
    """
    url = f"{settings.VOYAGE_BASE_URL.rstrip('/')}/embeddings"
    posted = post(VENDOR, url, api_key=settings.VOYAGE_API_KEY, body=request)
    usage = posted.answer.get("usage")
    return Reply(
        answer=posted.answer,
        usage=usage if isinstance(usage, dict) else {},
        request_id=posted.request_id,
    )


def _check_texts(texts: object) -> None:
    if not isinstance(texts, list) or not 1 <= len(texts) <= MOST_TEXTS:
        raise NonRetryableError(f"input is a list of 1 to {MOST_TEXTS} texts")
    if not all(isinstance(text, str) and text for text in texts):
        raise NonRetryableError("input has something that is no text, or an empty one")


def _read_complaint(body: Any) -> Complaint:
    words = body.get("detail") if isinstance(body, dict) else None
    return Complaint("", words if isinstance(words, str) else "")


# A request's 100 vectors of 2,048 numbers are a little over a megabyte in base64.
VENDOR = Vendor("the Voyage API", "VOYAGE_BASE_URL", 4_000_000, frozenset(), _read_complaint)
