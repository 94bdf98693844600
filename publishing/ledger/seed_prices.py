"""The prices that a new house starts with: rows of `publishing.models.Price`.

Rates are nano-dollars a token (a thousand times the vendor's dollars per million tokens), of an
image nano-dollars an image.
"""

from typing import Any

_CLAUDE = (
    "platform.claude.com/docs, pages pricing and models, read on 2026-11-22; Sonnet 5.5's cache "
    "read of 0.10 holds since 2026-10-07 by the release notes"
)
_VOYAGE = "prices as listed by Vercel, OpenRouter and LiteLLM, read on 2026-11-22"
_OPENAI = (
    "fal.ai and LiteLLM, read on 2026-11-22; the text rate was not seen, the image input rate "
    "stands for it"
)
_WORKERS_AI = (
    "developers.cloudflare.com/workers-ai, flux-1-schnell, read on 2026-11-22: 4 tiles of 0.000053 "
    "and 4 steps of 0.00011"
)

PRICES: list[dict[str, Any]] = [
    {
        "kind": "text",
        "model": "claude-sonnet-5-5",
        "prompt": 2_000,
        "answer": 10_000,
        "cache_write_5m": 2_500,
        "cache_write_1h": 4_000,
        "cache_read": 100,
        "batch_percent": 50,
        "source": _CLAUDE,
    },
    {
        "kind": "text",
        "model": "claude-haiku-5-5",
        "prompt": 100,
        "answer": 500,
        "cache_write_5m": 125,
        "cache_write_1h": 200,
        "cache_read": 10,
        "batch_percent": 50,
        "source": _CLAUDE,
    },
    {
        "kind": "text",
        "model": "claude-haiku-5-5",
        "above": 100_000,
        "prompt": 500,
        "answer": 2_500,
        "cache_write_5m": 625,
        "cache_write_1h": 1_000,
        "cache_read": 50,
        "batch_percent": 50,
        "source": _CLAUDE,
    },
    {"kind": "embedding", "model": "voyage-4-lite", "prompt": 20, "source": _VOYAGE},
    {"kind": "embedding", "model": "voyage-4", "prompt": 60, "source": _VOYAGE},
    {"kind": "embedding", "model": "voyage-4-large", "prompt": 120, "source": _VOYAGE},
    {
        "kind": "image",
        "model": "@cf/black-forest-labs/flux-1-schnell",
        "size": "1024x1024",
        "quality": "4 steps",
        "image": 652_000,
        "source": _WORKERS_AI,
    },
    *(
        {
            "kind": "image",
            "model": "gpt-image-2",
            "size": "1024x1024",
            "quality": quality,
            "image": image,
            "prompt": 8_000,
            "answer": 30_000,
            "source": _OPENAI,
        }
        for quality, image in (("low", 6_000_000), ("medium", 53_000_000), ("high", 211_000_000))
    ),
]
