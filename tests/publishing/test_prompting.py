"""The request for an article: equal for equal inputs, within its bytes, citing what was fetched."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from publishing.ledger.keys import canonical_json
from publishing.payloads import FetchedSource, Grounded
from publishing.stages.generate import GenerateOptions, worst_case
from publishing.writing.prompting import build_request
from tests.publishing.writing import BUNDLE, RULE, brief, source
from workflows.errors import NonRetryableError
from workflows.registry import get_step


def request_for(
    sources: Sequence[FetchedSource], *, most_bytes: int = 160_000, **fields: Any
) -> dict[str, Any]:
    return build_request(
        brief(**fields),
        Grounded(sources=list(sources)),
        BUNDLE,
        model="claude-sonnet-5-5",
        max_tokens=8_000,
        most_bytes=most_bytes,
    )


def test_the_specs_are_the_cached_prefix_and_the_sources_are_plain_documents() -> None:
    request = request_for([source("s1", RULE), source("s2", "", status="dead", problem="404")])
    assert set(request) == {"model", "max_tokens", "system", "messages", "output_config"}
    assert [block.get("cache_control") for block in request["system"]] == [
        None,
        {"type": "ephemeral", "ttl": "1h"},
    ]
    for spec in ("Plain.", "Readers.", "No hype. Why: It ages.", "Short."):
        assert spec in request["system"][1]["text"]
    *documents, asked = request["messages"][0]["content"]
    assert documents == [
        {
            "type": "document",
            "title": "s1",
            "source": {"type": "text", "media_type": "text/plain", "data": RULE},
        }
    ]
    assert "The rule of clocks" in asked["text"]


def test_the_answer_may_cite_the_fetched_sources_only() -> None:
    def cited(sources: Sequence[FetchedSource]) -> Any:
        schema = request_for(sources)["output_config"]["format"]["schema"]
        assert schema["required"] == ["title", "summary", "body", "tags", "citations"]
        return schema["properties"]["citations"]["items"]["properties"]["source"]

    dead = source("s2", "", status="dead", problem="404")
    assert cited([source("s1", RULE), dead]) == {"type": "string", "enum": ["s1"]}
    assert cited([dead]) == {"type": "string"}


def test_sources_are_shortened_at_paragraphs_until_the_request_fits() -> None:
    long = "\n\n".join(f"Paragraph {number}. {'word ' * 100}".strip() for number in range(400))
    request = request_for([source("s1", RULE), source("s2", long)], most_bytes=60_000)
    assert len(canonical_json(request).encode()) <= 60_000
    short, shortened = (block["source"]["data"] for block in request["messages"][0]["content"][:2])
    assert short == RULE
    assert long.startswith(shortened)
    assert len(shortened) > 50_000
    assert shortened.endswith("word")


def test_a_brief_that_leaves_no_room_for_its_sources_is_refused() -> None:
    with pytest.raises(NonRetryableError, match="raise prompt_bytes"):
        request_for([source("s1", RULE)], most_bytes=20_000, notes="n" * 30_000)


def test_equal_inputs_make_equal_requests() -> None:
    sources = [source("s1", RULE)]
    later = [source("s1", RULE, fetched_at=datetime.now(UTC))]
    assert canonical_json(request_for(sources)) == canonical_json(request_for(later))


@pytest.mark.usefixtures("prices")
def test_the_worst_case_of_the_step_is_what_its_options_allow(settings: Any) -> None:
    options = GenerateOptions()
    assert get_step("generate").worst_case is worst_case
    assert worst_case(options) == 0
    settings.ANTHROPIC_API_KEY = "sk-test"
    assert worst_case(options) == 162_000 * 4 + 8_000 * 10 + 5
