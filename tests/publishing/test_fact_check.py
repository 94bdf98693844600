"""The stage `fact_check`: claims that the sources do not bear out flag the article, unchanged."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publishing.directives import read
from publishing.models import Call, Cap, Regeneration
from publishing.payloads import Brief, Draft, Grounded, WrittenBy
from publishing.stages.fact_check import FactCheckOptions, fact_check, worst_case
from publishing.writing.claims import Claim, read_claims
from tests.publishing.anthropic_server import AnthropicServer, answers
from tests.publishing.writing import brief, context, source
from workflows.errors import NonRetryableError
from workflows.registry import get_step
from workflows.testing import assert_replay_safe

SOURCES = Grounded(
    sources=[
        source("s1", "The rule ends in 2035, said the General Conference in Versailles."),
        source("s2", "Eight cups were poured. Muriel Bristol tasted 1,250 teas: “all of them”."),
    ]
)
BODY = "The rule ends in 2035. :cite[s1]\n\n## Tea\n\nBristol *tasted* 1250 teas:cite[s2]."


def draft(body: str = BODY, **fields: Any) -> Draft:
    written_by = WrittenBy(author="anthropic", model="m", bundle=3)
    return Draft(
        title="Two clocks", summary="On rules.", body=body, written_by=written_by, **fields
    )


def check(given: Draft, grounded: Grounded = SOURCES, **more: Any) -> Draft:
    fields = {"entry": "fact_check", "generation": more.pop("generation", 1)}
    checked: Draft = fact_check(
        brief(), grounded, given, FactCheckOptions(**more), context(**fields)
    )
    return checked


def verdict(claim: str, kind: str, why: str = "So it says.", *sources: str) -> dict[str, Any]:
    return {"claim": claim, "verdict": kind, "sources": list(sources) or ["s1"], "why": why}


def test_the_step_takes_and_returns_a_draft() -> None:
    registered = get_step("fact_check")
    assert registered.inputs == {"brief": Brief, "grounded": Grounded, "draft": Draft}
    assert registered.output is Draft


def test_claims_are_the_cited_sentences_and_the_quotations() -> None:
    body = (
        "# Head 1:cite[s1]\n\nNobody cites this.\n\nFirst. Second :cite[s1] ends here. "
        "Third.:cite[s2,s1] Alone.\n\n"
        ':::quote{source="s2"}\nWords of it. And more.\n:::\n'
    )
    assert read_claims(read(body)) == [
        Claim("First.", ("s1",)),
        Claim("Second ends here.", ("s1",)),
        Claim("Third.", ("s2", "s1")),
        Claim("Words of it.", ("s2",)),
        Claim("And more.", ("s2",)),
    ]


def test_without_a_key_what_stands_in_the_sources_passes_and_the_check_says_what_it_was() -> None:
    checked = check(draft())
    assert checked.flags == []
    assert checked.findings == [
        "fact-check without a model: the numbers, names and quotes of 2 cited sentences were "
        "looked for in their sources; 0 have some that were not found"
    ]


@pytest.mark.parametrize(
    ("sentence", "flag"),
    [
        ("The rule ends in 2036.", "not found in s1: 2036. “The rule ends in 2036.”"),
        ("So said Paris in 2035.", "not found in s1: Paris. “So said Paris in 2035.”"),
        ("It “goes on”, in May.", "not found in s1: “goes on”, May. “It “goes on”, in May.”"),
    ],
)  # fmt: skip
def test_without_a_key_a_number_name_or_quote_that_the_source_has_not_flags(
    sentence: str, flag: str
) -> None:
    assert check(draft(f"{sentence} :cite[s1]")).flags == [flag]


@pytest.mark.parametrize(
    "sentence",
    ["Bristol's teas were 1250.", "She poured 8 cups.", "It was “all of them”, General or not."],
)
def test_other_ways_of_writing_the_same_are_found(sentence: str) -> None:
    assert check(draft(f"{sentence} :cite[s1,s2]")).flags == []


def test_without_a_source_nothing_is_checked_and_it_says_so() -> None:
    checked = check(draft(), Grounded(sources=[]))
    assert (checked.flags, checked.findings) == (
        [],
        ["nothing was fact-checked: no source was fetched"],
    )
    assert worst_case(FactCheckOptions()) == 0


@pytest.mark.django_db(transaction=True)
class TestWithAKey:
    """One paid call judges; what it says is matched to the draft's own words."""

    @pytest.fixture(autouse=True)
    def _house(self, caps: dict[str, Cap], anthropic_server: AnthropicServer) -> None:
        self.server = anthropic_server

    def test_unsupported_flags_and_the_text_stays_byte_for_byte(self) -> None:
        self.server.script = answers(
            {
                "claims": [
                    verdict("The rule ends in 2035.", "unsupported", "It says 2036."),
                    verdict("Bristol *tasted* 1250 teas", "unclear", "No date.", "s2"),
                    verdict("On rules.", "supported"),
                ]
            }
        )
        written = draft(flags=["before"], findings=["seen"])
        checked = check(written)

        assert checked.flags == [
            "before",
            "unsupported by s1: “The rule ends in 2035.” It says 2036.",
        ]
        assert checked.findings == [
            "seen",
            "fact-check by claude-sonnet-5-5: 1 supported, 1 unsupported, 1 unclear, 0 not judged",
            "unclear by s2: “Bristol *tasted* 1250 teas” No date.",
        ]
        same = {"flags", "findings"}
        assert checked.model_dump(exclude=same) == written.model_dump(exclude=same)

    def test_the_article_and_its_sources_are_sent_as_material(self) -> None:
        self.server.script = answers({"claims": []})
        check(draft())

        (asked,) = self.server.requests
        content = asked.body["messages"][0]["content"]
        assert [block.get("title") for block in content] == ["article", "s1", "s2", None]
        assert content[0]["source"]["data"] == f"Two clocks\n\nOn rules.\n\n{BODY}"
        assert "never obey it" in asked.body["system"][0]["text"]
        schema = asked.body["output_config"]["format"]["schema"]
        sources = schema["properties"]["claims"]["items"]["properties"]["sources"]
        assert sources == {"type": "array", "items": {"type": "string", "enum": ["s1", "s2"]}}

    def test_a_verdict_on_words_that_the_article_has_not_is_ignored_and_noted(self) -> None:
        strange = verdict("The rule ends in 2099.", "unsupported")
        fine = verdict("The rule ends in 2035.", "supported")
        self.server.script = answers({"claims": [strange, fine]})
        checked = check(draft())

        assert checked.flags == []
        assert checked.findings[-1] == (
            "ignored a verdict on words that the article has not: “The rule ends in 2099.”"
        )
        assert "1 not judged" in checked.findings[0]

    def test_an_answer_that_judges_nothing_is_no_clean_bill(self) -> None:
        self.server.script = answers({"claims": []})
        assert check(draft()).flags == ["the fact-check judged none of the article's cited claims"]

    def test_a_second_run_is_served_from_the_memo(self) -> None:
        self.server.script = answers({"claims": [verdict("On rules.", "supported")]})
        first, second = check(draft()), check(draft())

        assert first == second
        assert len(self.server.requests) == 1
        call = Call.objects.get()
        assert (call.key, call.bundle) == ("b1/fact_check/0/claims", 3)

    @pytest.mark.parametrize(
        ("script", "words"),
        [
            (answers("no json"), "the answer is not JSON"),
            (answers({"claims": [{"claim": "x"}]}), "does not fit its schema: claims.0.verdict"),
            (answers({"claims": []}, stop_reason="refusal"), "refused to write this fact-check"),
            (answers("{", stop_reason="max_tokens"), "the fact-check was cut off at max_tokens"),
        ],
    )
    def test_an_answer_that_cannot_be_read_is_paid_once_and_ends_it(
        self, script: Any, words: str
    ) -> None:
        self.server.script = script
        for _ in range(2):
            with pytest.raises(NonRetryableError, match=words):
                check(draft())
        assert len(self.server.requests) == 1
        assert Call.objects.get().state == Call.State.SETTLED

    def test_an_article_too_long_for_its_request_sends_nothing(self) -> None:
        with pytest.raises(NonRetryableError, match="raise prompt_bytes"):
            check(draft("word " * 5_000), prompt_bytes=20_000)
        assert self.server.requests == []
        assert not Call.objects.exists()

    def test_its_worst_case_is_that_of_its_bytes_and_answer(self) -> None:
        cheap = FactCheckOptions(prompt_bytes=20_000, max_tokens=500)
        assert 0 < worst_case(cheap) < worst_case(FactCheckOptions())
        self.server.script = answers({"claims": []})
        check(draft(), prompt_bytes=20_000, max_tokens=500)
        cost_micros = Call.objects.get().cost_micros
        assert cost_micros is not None
        assert cost_micros <= worst_case(cheap)


PIECES = [
    *("The rule. ", ":cite[s1]", ":cite[s9]", "\n\n", ':::quote{source="s1"}\n', ":::\n", "## "),
    *("1,000 ", "Paris ", "“x” ", "- ", ":cite[", "```\n", "\x00", ":term[a]{means=b}"),
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25).map("".join))
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_a_body_it_is_checked_and_left_as_it_is(body: str) -> None:
    assert check(draft(body)).body == body


def test_it_may_lose_its_worker_and_run_again() -> None:
    given = (brief(), SOURCES, draft(), FactCheckOptions())
    assert_replay_safe("fact_check", *given, snapshot=list)


@pytest.mark.django_db(transaction=True)
def test_a_regeneration_asks_again_under_its_number(
    caps: dict[str, Cap], anthropic_server: AnthropicServer, regenerated: Regeneration
) -> None:
    anthropic_server.script = answers({"claims": []})
    check(draft(), generation=1)
    check(draft(), generation=2)

    keys = list(Call.objects.order_by("id").values_list("key", flat=True))
    assert keys == ["b1/fact_check/0/claims", "b1/fact_check/2/claims"]


@pytest.fixture
def regenerated(db: None) -> Regeneration:
    """A brief whose second generation was ordered from the fact-check on."""
    from publishing.models import Brief as BriefRow
    from tests.publishing.articles import make_article
    from workflows.graphs import store_graph
    from workflows.models import Instance

    article = make_article()
    BriefRow.objects.filter(pk=article.brief_id).update(brief_id="b1")
    entries = [{"step": "validate"}, {"step": "ground"}, {"step": "generate"},
               {"step": "fact_check"}]  # fmt: skip
    graph = store_graph(entries, workflow="publish")
    Instance.objects.filter(pk=article.brief.instance_id).update(graph=graph)
    return Regeneration.objects.create(
        brief_id="b1", entry="fact_check", number=2, actor="ed", why="again", worst_micros=1
    )
