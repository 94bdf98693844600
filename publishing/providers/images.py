"""Images by Workers AI or OpenAI, as the model says: one request, one image, no retries.

Only `publishing.ledger` imports this module. The image leaves the answer for the object store, so
that the memo stays small; see `publishing.providers.originals`.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.conf import settings

from publishing.providers import originals
from publishing.providers.attempts import Reply
from publishing.providers.posting import Complaint, Posted, Vendor, post
from workflows.errors import NonRetryableError

CLOUDFLARE = "@cf/"  # how the names of Workers AI's models begin
MOST_PROMPT = 2_048  # characters, of flux-1-schnell's prompt
# What is sent is these and nothing else; size and steps are what the price goes by.
WORKERS_AI: Mapping[str, tuple[object, ...]] = {"size": ("1024x1024",), "steps": (4,)}
OPENAI: Mapping[str, tuple[object, ...]] = {
    "size": ("1024x1024",),
    "quality": ("low", "medium", "high"),  # never auto: its price is not known before
    "output_format": ("jpeg",),
    "n": (1,),
}
_MOST_BYTES = 30_000_000  # of an answer; an image of 1024 by 1024 has up to 4 MB


def check(request: Mapping[str, Any]) -> None:
    """Refuse a request whose cost could not be bounded.

    Raises:
        NonRetryableError: a key or value is not one of those that are known.
    """
    allowed = WORKERS_AI if _is_cloudflare(request) else OPENAI
    strange = sorted(request.keys() - allowed.keys() - {"model", "prompt"})
    if strange:
        raise NonRetryableError(
            f"a request for an image may not have {', '.join(strange)}: its cost could not be "
            "bounded"
        )
    for name, values in allowed.items():
        if isinstance(request.get(name), bool) or request.get(name) not in values:
            known = ", ".join(map(str, values))
            raise NonRetryableError(f"{name} is {request.get(name)!r}; it is one of {known}")
    prompt = request.get("prompt")
    if not isinstance(prompt, str) or not 1 <= len(prompt) <= MOST_PROMPT:
        raise NonRetryableError(f"prompt is a text of 1 to {MOST_PROMPT} characters")


def send(request: Mapping[str, Any]) -> Reply:
    """Send the request once, and return the answer with its image put aside.

    Raises:
        SendError: no answer came; it says whether that may have cost money.
    """
    is_cloudflare = _is_cloudflare(request)
    posted = _ask_workers_ai(request) if is_cloudflare else _ask_openai(request)
    usage = {} if is_cloudflare else posted.answer.get("usage")
    answer = _put_aside(posted.answer, "result" if is_cloudflare else "data")
    return Reply(
        answer=answer,
        usage={
            **(usage if isinstance(usage, dict) else {}),
            "images": 1,
            "size": request["size"],
            "quality": quality_of(request),
        },
        request_id=posted.request_id,
    )


def quality_of(request: Mapping[str, Any]) -> str:
    """Return the quality as prices name it: that of the request, or its number of steps."""
    return str(request.get("quality") or f"{request.get('steps')} steps")


def _is_cloudflare(request: Mapping[str, Any]) -> bool:
    return str(request.get("model", "")).startswith(CLOUDFLARE)


def _ask_workers_ai(request: Mapping[str, Any]) -> Posted:
    base, account = settings.WORKERS_AI_BASE_URL.rstrip("/"), settings.CLOUDFLARE_ACCOUNT_ID
    url = f"{base}/accounts/{quote(account, safe='')}/ai/run/{request['model']}"
    body = {"prompt": request["prompt"], "steps": request["steps"]}
    return post(_WORKERS_AI, url, api_key=settings.CLOUDFLARE_API_TOKEN, body=body)


def _ask_openai(request: Mapping[str, Any]) -> Posted:
    url = f"{settings.OPENAI_BASE_URL.rstrip('/')}/images/generations"
    return post(_OPENAI, url, api_key=settings.OPENAI_API_KEY, body=request)


def _put_aside(answer: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the answer with its image's digest in the place of its base64.

    What is no image, or cannot be stored now, stays in the answer: it is paid for, so it is kept.
    """
    held = answer.get(place)
    held = held[0] if isinstance(held, list) and held else held
    name = "image" if place == "result" else "b64_json"
    body = _decode(held.get(name)) if isinstance(held, dict) else None
    digest = originals.keep(body) if body else None
    if not isinstance(held, dict) or digest is None:
        return dict(answer)
    held = {key: value for key, value in held.items() if key != name} | {"original": digest}
    return {**answer, place: held}


def _decode(text: object) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        return None


def _read_openai(body: Any) -> Complaint:
    error = body.get("error") if isinstance(body, dict) else None
    error = error if isinstance(error, dict) else {}
    return Complaint(str(error.get("code") or error.get("type") or ""), _text(error.get("message")))


def _read_cloudflare(body: Any) -> Complaint:
    errors = body.get("errors") if isinstance(body, dict) else None
    error = errors[0] if isinstance(errors, list) and errors else {}
    error = error if isinstance(error, dict) else {}
    return Complaint(str(error.get("code") or ""), _text(error.get("message")))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


_OPENAI = Vendor(
    "the OpenAI images API",
    "OPENAI_BASE_URL",
    _MOST_BYTES,
    frozenset({"insufficient_quota", "billing_hard_limit_reached"}),
    _read_openai,
)
_WORKERS_AI = Vendor(
    "Workers AI",
    "WORKERS_AI_BASE_URL",
    _MOST_BYTES,
    # "You have used up your daily free allocation" (Cloudflare docs, Workers AI errors).
    frozenset({"3036", "4006"}),
    _read_cloudflare,
)
