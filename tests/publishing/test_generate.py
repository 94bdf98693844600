"""generate: one paid article a brief; what cannot be used is shown and not paid for again."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from pytest_django import Settings

from publishing.models import Call, Cap
from publishing.payloads import Citation, Draft, FetchedSource, Grounded
from publishing.stages.generate import GenerateOptions, generate, worst_case
from tests.publishing.anthropic_server import ARTICLE, AnthropicServer, answers
from tests.publishing.batch_server import serve_batches
from tests.publishing.writing import BUNDLE, RULE, brief, context, source
from workflows.errors import NonRetryableError, Park


def write(
    sources: Sequence[FetchedSource] = (),
    options: GenerateOptions | None = None,
    **fields: Any,
) -> Draft:
    draft: Draft = generate(
        brief(**fields),
        Grounded(sources=list(sources)),
        BUNDLE,
        options or GenerateOptions(),
        context(),
    )
    return draft


paid = pytest.mark.usefixtures("caps")


@paid
@pytest.mark.django_db(transaction=True)
def test_the_draft_is_the_models_answer_with_its_price(anthropic_server: AnthropicServer) -> None:
    draft = write([source("s1", RULE)])
    assert draft.title == ARTICLE["title"]
    assert draft.body == "The rule ends in 2035. :cite[s1]"
    assert draft.citations == [Citation(source="s1", quote="The rule ends in 2035.")]
    assert draft.written_by.model_dump() == {
        "author": "anthropic",
        "model": "claude-sonnet-5-5",
        "bundle": 3,
        "cost_micros": 7_000,
    }
    call = Call.objects.get()
    assert (call.key, call.lane, call.entry) == ("b1/generate/0/body", "news", "generate")


@paid
@pytest.mark.django_db(transaction=True)
def test_a_second_run_of_the_step_is_the_same_and_pays_nothing(
    anthropic_server: AnthropicServer,
) -> None:
    assert write([source("s1", RULE)]) == write([source("s1", RULE)])
    assert len(anthropic_server.requests) == 1


@paid
@pytest.mark.django_db(transaction=True)
def test_another_text_of_a_source_waits_for_an_operator(
    anthropic_server: AnthropicServer,
) -> None:
    write([source("s1", RULE)])
    with pytest.raises(Park) as parked:
        write([source("s1", f"{RULE} More.")])
    assert parked.value.reason == "operator"
    assert len(anthropic_server.requests) == 1


@paid
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"content": "", "stop_reason": "refusal"}, "refused"),
        ({"stop_reason": "max_tokens"}, "cut off at max_tokens"),
        ({"stop_reason": "pause_turn"}, "stopped with 'pause_turn'"),
        ({"stop_reason": None}, "stopped with None"),
        ({"content": '{"title": "half'}, "not JSON"),
        ({"content": "[]"}, "does not fit its schema"),
        ({"content": ARTICLE | {"body": 5}}, "body: Input should be a valid string"),
        ({"content": ARTICLE | {"more": 1}}, "more: Extra inputs are not permitted"),
    ],
)
def test_an_answer_that_cannot_be_used_is_shown_and_never_paid_for_again(
    anthropic_server: AnthropicServer, answer: dict[str, Any], why: str
) -> None:
    anthropic_server.script = answers(**answer)
    for _ in range(2):
        with pytest.raises(NonRetryableError, match=re.escape(why)) as raised:
            write([source("s1", RULE)])
        assert raised.value.data["call"] == Call.objects.get().pk
    assert len(anthropic_server.requests) == 1
    assert Call.objects.get().state == "settled"


@paid
@pytest.mark.django_db(transaction=True)
def test_a_brief_too_dear_for_its_cap_is_not_sent(anthropic_server: AnthropicServer) -> None:
    Cap.objects.filter(scope="brief").update(cap_micros=10_000)
    with pytest.raises(NonRetryableError, match="more than the whole cap of its brief"):
        write([source("s1", RULE)])
    assert anthropic_server.requests == []


@paid
@pytest.mark.django_db(transaction=True)
def test_with_economy_it_waits_for_the_batch_and_costs_half(settings: Settings) -> None:
    options = GenerateOptions(economy=True)
    with serve_batches() as server:
        settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = server.url, "sk-test"
        assert worst_case(options) < worst_case(GenerateOptions())
        with pytest.raises(Park) as parked:
            write([source("s1", RULE)], options)
        assert parked.value.reason == "call"
        server.end()
        draft = write([source("s1", RULE)], options)
    assert draft.written_by.cost_micros == 3_500
    (sent,) = server.batches[0].requests
    assert sent["params"]["output_config"]["format"]["type"] == "json_schema"
