"""prompt: one paid answer an entry, as a note or a contract; without a key nothing is faked."""

import re
from typing import Any

import pytest

from publishing.models import Call
from publishing.payloads import Draft, Note, WrittenBy
from publishing.stages.prompt import NOT_ASKED, PromptOptions, bind, prompt
from tests.plugin.stages import Verdict
from tests.publishing.anthropic_server import AnthropicServer, answers
from tests.publishing.paying import COST
from tests.publishing.writing import brief, context
from workflows.contracts import Bound, Contract
from workflows.errors import NonRetryableError, Park
from workflows.testing import assert_replay_safe

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("caps")]

TEMPLATE = "Is {{ draft.body }} sound?"
NOTE = {"text": "One claim rests on nothing.", "flags": ["an unsupported claim"]}
VERDICT = {"sound": False, "reason": "no source", "flags": []}
DRAFT = Draft(
    title="Clocks",
    summary="On clocks.",
    body="The rule ends in 2035.",
    written_by=WrittenBy(author="anthropic", model="m", bundle=3, cost_micros=7),
)


def ask(*given: Contract, entry: str = "checked", **options: Any) -> Contract:
    """Run the step as the engine would, with these earlier outputs."""
    chosen = PromptOptions(**{"template": TEMPLATE} | options)
    binding = bind(chosen)
    inputs = {
        name: each
        for name, asked in binding.inputs.items()
        for each in (DRAFT, *given)
        if isinstance(each, asked.contract)
    }
    made: Contract = prompt(
        brief(), chosen, Bound(inputs=inputs, output=binding.output), context(entry=entry)
    )
    return made


def test_the_answer_is_a_note_paid_for_once(anthropic_server: AnthropicServer) -> None:
    anthropic_server.script = answers(NOTE)
    assert ask() == ask() == Note.model_validate(NOTE)

    (request,) = anthropic_server.requests
    schema = request.body["output_config"]["format"]["schema"]
    assert (schema["required"], schema["additionalProperties"]) == (["text", "flags"], False)
    call = Call.objects.get()
    assert (call.key, call.state, call.cost_micros) == ("b1/checked/0/prompt", "settled", COST)


def test_two_prompts_of_a_graph_are_two_calls(anthropic_server: AnthropicServer) -> None:
    anthropic_server.script = answers(NOTE)
    ask(entry="checked")
    ask(entry="weighed")
    assert sorted(Call.objects.values_list("key", flat=True)) == [
        "b1/checked/0/prompt",
        "b1/weighed/0/prompt",
    ]


def test_another_template_waits_for_an_operator(anthropic_server: AnthropicServer) -> None:
    anthropic_server.script = answers(NOTE)
    ask()
    with pytest.raises(Park) as parked:
        ask(template="Is {{ draft.title }} sound?")
    assert parked.value.reason == "operator"
    assert len(anthropic_server.requests) == 1


def test_the_answer_is_the_contract_that_it_provides(anthropic_server: AnthropicServer) -> None:
    anthropic_server.script = answers(VERDICT)
    assert ask(provides="Verdict") == Verdict(sound=False, reason="no source")


def test_a_revised_draft_keeps_by_whom_it_was_written(anthropic_server: AnthropicServer) -> None:
    said: dict[str, Any] = {"title": "T", "summary": "S", "body": "B", "flags": ["a date is odd"]}
    revised = said | {"tags": [], "citations": [], "findings": []}
    anthropic_server.script = answers(revised | {"written_by": {"author": "offline", "bundle": 9}})

    made = ask(provides="Draft")

    assert made == Draft(**said, written_by=DRAFT.written_by)
    schema = anthropic_server.requests[0].body["output_config"]["format"]["schema"]
    assert set(schema["required"]) == revised.keys()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"content": "", "stop_reason": "refusal"}, "the model refused to write this answer"),
        ({"content": VERDICT, "stop_reason": "max_tokens"}, "the answer was cut off at max_tokens"),
        ({"content": "sound"}, "the answer is not JSON"),
        ({"content": "[]"}, "the answer does not fit its schema"),
        ({"content": VERDICT | {"reason": "r" * 81}}, "reason: String should have at most 80"),
        ({"content": VERDICT | {"more": 1}}, "more: Extra inputs are not permitted"),
    ],
)
def test_an_answer_that_does_not_fit_is_shown_and_never_paid_for_again(
    anthropic_server: AnthropicServer, answer: dict[str, Any], why: str
) -> None:
    anthropic_server.script = answers(**answer)
    for _ in range(2):
        with pytest.raises(NonRetryableError, match=re.escape(why)) as raised:
            ask(provides="Verdict")
        assert raised.value.data["call"] == Call.objects.get().pk
    assert len(anthropic_server.requests) == 1


def test_a_call_dearer_than_its_own_cap_is_not_sent(anthropic_server: AnthropicServer) -> None:
    with pytest.raises(NonRetryableError, match="more than its cap_micros of 100; nothing was"):
        ask(cap_micros=100)
    assert anthropic_server.requests == []
    assert not Call.objects.exists()


def test_a_call_counts_with_what_it_asks_and_not_with_all_that_it_may(
    anthropic_server: AnthropicServer,
) -> None:
    anthropic_server.script = answers(NOTE)
    assert ask(cap_micros=50_000) == Note.model_validate(NOTE)
    assert Call.objects.get().held_micros <= 50_000


def test_without_a_key_a_note_says_that_no_model_was_asked() -> None:
    assert ask() == Note(text=f"checked: {NOT_ASKED}.", flags=[NOT_ASKED])
    assert not Call.objects.exists()


def test_without_a_key_an_earlier_output_goes_on_with_a_flag_where_it_has_any() -> None:
    earlier = Verdict(sound=True, reason="by hand", flags=["seen"])
    assert ask(earlier, provides="Verdict") == Verdict(
        sound=True, reason="by hand", flags=["seen", f"checked: {NOT_ASKED}"]
    )
    flagged = DRAFT.model_copy(update={"flags": [f"checked: {NOT_ASKED}"]})
    assert ask(provides="Draft") == flagged
    assert not Call.objects.exists()


def test_without_a_key_and_an_earlier_output_it_ends_and_names_the_key() -> None:
    with pytest.raises(NonRetryableError, match="ANTHROPIC_API_KEY is not set, and no earlier"):
        ask(provides="Verdict")
    assert not Call.objects.exists()


def test_it_may_lose_its_worker_before_its_record_and_run_again(
    anthropic_server: AnthropicServer,
) -> None:
    anthropic_server.script = answers(VERDICT)

    def left() -> object:
        return len(anthropic_server.requests), list(Call.objects.values_list("key", "state"))

    output = assert_replay_safe(
        "prompt",
        brief(),
        DRAFT,
        PromptOptions(template=TEMPLATE, provides="Verdict"),
        snapshot=left,
    )

    assert output == Verdict(sound=False, reason="no source")
    assert left() == (1, [("b1/prompt/0/prompt", "settled")])
