"""The four paid providers, each at the step that pays it, and how its vendor says things."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from publishing.covers import asking
from tests.publishing.anthropic_server import Exchange, Script, answers, message
from tests.publishing.image_servers import draws, jpeg, of_openai, of_workers_ai
from tests.publishing.voyage_server import embeddings_of, embeds


@dataclass(frozen=True)
class Vendor:
    """One provider.

    Attributes:
        entry: the step that pays it; the graph of the table ends there.
        settings: with which it is paid; `base_url` names the one that takes the server's address.
        answers: its usual answer, which costs `cost_micros`.
        lies: answers whose usage is not to be believed, by what is wrong with it.
        delay: seconds after which the step's policy tries again.
    """

    entry: str
    model: str
    settings: Mapping[str, str]
    base_url: str
    answers: Script
    cost_micros: int
    spend_limit: Script
    delay: float
    lies: Mapping[str, Script] = field(default_factory=dict)


def says(status: int, body: object = "no", **headers: str) -> Script:
    """Answer this; header names are given with _ for -."""
    return lambda exchange: exchange.reply(status, body, **headers)


def _writes(**usage: Any) -> Script:
    return answers(usage=usage)


def _embeds(usage: Mapping[str, Any]) -> Script:
    def script(exchange: Exchange) -> None:
        exchange.reply(200, embeddings_of(exchange.body) | {"usage": usage})

    return script


def _pictures(usage: object) -> Script:
    return says(200, of_openai(jpeg()) | {"usage": usage})


_TEXT = Vendor(
    entry="generate",
    model="claude-sonnet-5-5",
    settings={"ANTHROPIC_API_KEY": "sk-test"},
    base_url="ANTHROPIC_BASE_URL",
    answers=answers(),
    cost_micros=7_000,
    spend_limit=says(
        429,
        {
            "type": "error",
            "error": {
                "type": "rate_limit_error",
                "message": "no more this month",
                "details": {"error_code": "enforced_spend_limit_reached"},
            },
        },
    ),
    delay=20,
    lies={
        "none": _writes(),
        "negative": _writes(input_tokens=-1, output_tokens=500),
        "absurd": _writes(input_tokens=10**30, output_tokens=500),
        "infinite": says(200, json.dumps(message()).replace("1000", "1e999")),
        "above": _writes(input_tokens=300_000, output_tokens=500),
    },
)
_EMBEDDING = Vendor(
    entry="index",
    model="voyage-4-lite",
    settings={"VOYAGE_API_KEY": "sk-test"},
    base_url="VOYAGE_BASE_URL",
    answers=embeds,
    cost_micros=1,
    spend_limit=says(402, {"detail": "add a card"}),  # Voyage has no other word for it
    delay=20,
    lies={
        "none": _embeds({}),
        "negative": _embeds({"total_tokens": -5}),
        "absurd": _embeds({"total_tokens": 10**30}),
        "infinite": lambda exchange: exchange.reply(
            200, json.dumps(embeddings_of(exchange.body) | {"usage": 7}).replace(": 7", ": 1e999")
        ),
        "above": _embeds({"total_tokens": 1_000_000}),
    },
)
_WORKERS_AI = Vendor(
    entry="cover",
    model=asking.WORKERS_AI_MODEL,
    settings={"CLOUDFLARE_ACCOUNT_ID": "acct", "CLOUDFLARE_API_TOKEN": "sk-test"},
    base_url="WORKERS_AI_BASE_URL",
    answers=draws,
    cost_micros=652,  # by the image: there is no usage to lie about
    spend_limit=says(429, {"success": False, "errors": [{"code": 3036, "message": "used up"}]}),
    delay=2,
    lies={"none": says(200, of_workers_ai(jpeg()))},
)
_OPENAI = Vendor(
    entry="cover",
    model=asking.OPENAI_MODEL,
    settings={"OPENAI_API_KEY": "sk-test"},
    base_url="OPENAI_BASE_URL",
    answers=draws,
    cost_micros=800 + 52_680,
    spend_limit=says(429, {"error": {"code": "insufficient_quota", "message": "no money"}}),
    delay=2,
    lies={
        "none": _pictures(None),
        "negative": _pictures({"input_tokens": 100, "output_tokens": -1}),
        "absurd": _pictures({"input_tokens": 100, "output_tokens": 10**30}),
        "infinite": says(
            200, json.dumps(of_openai(jpeg(), output_tokens=7)).replace('ens": 7,', 'ens": 1e999,')
        ),
        "above": _pictures({"input_tokens": 100, "output_tokens": 4_000}),
    },
)
VENDORS: Mapping[str, Vendor] = {
    "text": _TEXT,
    "embedding": _EMBEDDING,
    "workers-ai": _WORKERS_AI,
    "openai": _OPENAI,
}
