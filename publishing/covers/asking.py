"""What a paid picture is asked for: the model whose keys are set, and words of the article."""

from typing import Any

from django.conf import settings

WORKERS_AI_MODEL = "@cf/black-forest-labs/flux-1-schnell"
OPENAI_MODEL = "gpt-image-2"
SIZE, STEPS, QUALITY = "1024x1024", 4, "medium"
MOST_PROMPT_BYTES = 8_192  # 2,048 characters, which is what flux-1-schnell takes
_TITLE, _SUMMARY = 200, 800  # characters

_PROMPT = """\
A square editorial illustration for a magazine article. One clear subject, calm composition, muted \
colours. No letters, no numbers, no logos, no recognisable persons.
The article: {title}
What it says: {summary}"""


def model_in_use() -> str:
    """Return the model that is paid for a picture, or nothing: then the cover is set in type.

    Of two vendors whose keys are set it is the cheaper one, unless IMAGE_MODEL names the other's.
    """
    wanted = [settings.IMAGE_MODEL] if settings.IMAGE_MODEL else [WORKERS_AI_MODEL, OPENAI_MODEL]
    return next((model for model in wanted if _has_key(model)), "")


def build_request(model: str, *, title: str, summary: str) -> dict[str, Any]:
    """Return the request for one picture; equal inputs make equal requests."""
    request: dict[str, Any] = {
        "model": model,
        "prompt": _PROMPT.format(title=title[:_TITLE], summary=summary[:_SUMMARY]),
        "size": SIZE,
    }
    if model.startswith("@cf/"):
        return request | {"steps": STEPS}
    return request | {"quality": QUALITY, "output_format": "jpeg", "n": 1}


def quality_of(model: str) -> str:
    """Return the quality that is asked for, as prices name it."""
    return f"{STEPS} steps" if model.startswith("@cf/") else QUALITY


def _has_key(model: str) -> bool:
    if model.startswith("@cf/"):
        return bool(settings.CLOUDFLARE_ACCOUNT_ID and settings.CLOUDFLARE_API_TOKEN)
    return bool(settings.OPENAI_API_KEY)
