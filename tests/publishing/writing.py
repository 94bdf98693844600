"""What tests of the generate stage share: a brief, its sources, a bundle, a context."""

from datetime import UTC, datetime, timedelta
from typing import Any

from lanes.contracts import AntiPattern, BundleSpecs
from publishing.payloads import Brief, FetchedSource
from workflows.contracts import StepContext

BUNDLE = BundleSpecs(
    lane="news",
    version=3,
    voice="Plain.",
    audience="Readers.",
    anti_patterns=[AntiPattern(text="No hype.", why="It ages.")],
    brief_hints="Short.",
)
RULE = "The rule ends in 2035. Nobody minds. The clocks go on without it, as clocks do."


def source(key: str, text: str, **fields: Any) -> FetchedSource:
    url = f"https://pages.example/{key}"
    defaults: dict[str, Any] = {
        "url": url,
        "final_url": url,
        "status": "fetched",
        "title": f"Page {key}",
        "fetched_at": datetime(2026, 11, 22, tzinfo=UTC),
    }
    return FetchedSource(id=key, text=text, **(defaults | fields))


def brief(**fields: Any) -> Brief:
    defaults: dict[str, Any] = {
        "brief_id": "b1",
        "lane": "news",
        "title": "The rule of clocks",
        "summary": "A rule about clocks ends.",
        "tags": ["time"],
    }
    return Brief(**(defaults | fields))


def context(**fields: Any) -> StepContext:
    defaults: dict[str, Any] = {
        "instance_id": "publish-b1",
        "key": "b1",
        "entry": "generate",
        "generation": 1,
        "attempt": 1,
        "deadline": datetime.now(UTC) + timedelta(minutes=10),
        "drain": 0,
    }
    return StepContext(**(defaults | fields))
