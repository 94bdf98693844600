"""Clean: what it refuses, what it mends, what it only reports."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from publishing.cleaning.phrases import PhraseSearch, find_phrases
from publishing.payloads import (
    Brief,
    BriefSource,
    Citation,
    Cleaned,
    Draft,
    FetchedSource,
    Grounded,
    WrittenBy,
)
from publishing.stages.clean import CleanOptions, clean
from workflows.errors import NonRetryableError
from workflows.registry import get_step

# The source sets its quotation marks as a printer does.
TEXT = "It is illegal to park.\n\nShe said: “Don’t\u00a0move it”, and left.  Then 3 < 4."
WRITTEN_BY = WrittenBy(author="offline", bundle=1)
BRIEF = Brief(
    brief_id="b1",
    lane="dev",
    title="A title",
    summary="s",
    sources=[BriefSource(url="https://example.org/a")],
)
QUIET = CleanOptions(words_least=0)


def source(key: str, **changes: Any) -> FetchedSource:
    given = {
        "id": key,
        "url": f"https://example.org/{key}",
        "final_url": f"https://www.example.org/{key}?x=1&y=ü",
        "status": "fetched",
        "title": f"Title of {key}",
        "text": TEXT,
        "fetched_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return FetchedSource.model_validate(given | changes)


GROUNDED = Grounded(
    sources=[source("s1"), source("s2", status="dead", problem="answered 404", text="")]
)


def run(body: str, *, grounded: Grounded = GROUNDED, **changes: Any) -> Cleaned:
    options = changes.pop("options", QUIET)
    given = {"title": "A title", "summary": "s", "body": body, "written_by": WRITTEN_BY}
    cleaned: Cleaned = clean(Draft.model_validate(given | changes), grounded, BRIEF, options)
    return cleaned


def problems(body: str, **changes: Any) -> list[tuple[int | None, str]]:
    with pytest.raises(NonRetryableError) as caught:
        run(body, **changes)
    return [(problem["line"], problem["code"]) for problem in caught.value.data["problems"]]


def test_a_sound_draft_passes_unchanged() -> None:
    body = (
        "Parking:cite[s1] is [here](https://example.org/s1#top).\n\n## Head\n\n"
        ":::quote{source=s1}\nDon't move it\n:::\n\n[Up](#head), [source](#source-s1)."
    )
    citation = Citation(source="s1", quote="It is illegal to park.")
    assert run(body, citations=[citation], tags=["a", "b"]) == Cleaned(
        title="A title",
        summary="s",
        body=body,
        tags=["a", "b"],
        citations=[citation],
        written_by=WRITTEN_BY,
        flags=["s2 of the brief could not be read (answered 404): https://example.org/s2"],
    )


def test_the_step_takes_draft_sources_brief_and_options() -> None:
    step = get_step("clean")
    assert step.inputs == {"draft": Draft, "grounded": Grounded, "brief": Brief}
    assert (step.options, step.output) == (("options", CleanOptions), Cleaned)


def test_all_problems_are_listed_with_the_lines_of_the_draft() -> None:
    body = (
        "# A title\r\n\r\n\r\nText :foo[x].\r\n\r\n#### Deep\r\n\r\n<b>bold</b> :cite[s2]\r\n\r\n"
        "::source[s7]\r\n\r\n[x](https://evil.example/) and\r\n<https://example.org/s2>\r\n\r\n"
        "![i](https://example.org/s1)\r\n\r\n[ref]: https://evil.example/ref\r\n\r\n"
        ":::quote{source=s1}\r\nIt is legal to park.\r\n:::"
    )
    found = problems(body + "\r\n\r\n## End", citations=[Citation(source="s9")])
    assert found == [
        (None, "source"),
        (4, "directive"),
        (6, "heading"),
        (8, "source"),
        (8, "html"),
        (8, "html"),
        (10, "source"),
        (12, "link"),
        (13, "link"),
        (15, "image"),
        (17, "link"),
        (19, "quote"),
    ]


def test_the_refusal_names_the_first_problem_and_the_way_out() -> None:
    with pytest.raises(NonRetryableError) as caught:
        run("a\n\nb:cite[s2]")
    assert str(caught.value) == (
        "the draft has 1 problems, the first is line 3: cite: s2 was not fetched (answered 404); "
        "fetched sources: s1. A retry checks the same draft again; terminate, and send a new brief."
    )
    assert caught.value.data == {
        "problems": [
            {
                "line": 3,
                "code": "source",
                "message": "cite: s2 was not fetched (answered 404); fetched sources: s1",
            }
        ],
        "count": 1,
        "repairs": [],
    }


@pytest.mark.parametrize(
    "link",
    [
        "[a](https://example.org/s1)",
        "[a](https://EXAMPLE.org/s1#part)",
        "<https://www.example.org/s1?x=1&y=ü>",
        "[a](https://www.example.org/s1?x=1&amp;y=%C3%BC)",
        "[a][r]\n\n[r]: https://example.org/s1",
    ],
)
def test_a_link_to_a_fetched_source_passes(link: str) -> None:
    assert run(link).body == link


@pytest.mark.parametrize(
    "link",
    [
        "[a](https://example.org/)",
        "[a](https://example.org/s1/)",
        "[a](https://example.org/s1?x)",
        "[a](http://example.org/s1)",
        "[a](https://example.org@evil.example/s1)",
        "[a](https://example.org/s2)",
        "[a](/admin/)",
        "[a](//example.org/s1)",
        "[a]()",
        "<me@example.org>",
        "[a](https://[)",
        "[a](data:image/png;base64,xx)",
    ],
)
def test_a_link_to_anything_else_is_refused(link: str) -> None:
    assert problems(link) == [(1, "link")]


@pytest.mark.parametrize("html", ["<b>x</b>", "a <!-- b -->", "<script>", "a\n\n<div>\n\nb"])
def test_raw_html_is_refused(html: str) -> None:
    assert {code for _, code in problems(html)} == {"html"}


@pytest.mark.parametrize(
    ("quote", "stands"),
    [
        ("illegal to park.", True),
        ("illegal   to\npark", True),
        ("legal to park.", False),
        ("Illegal to park.", False),
        ("illegal to par", False),
        ("illegal to stop", False),
    ],
)
def test_a_quote_stands_word_for_word_in_its_source(quote: str, stands: bool) -> None:
    citation = Citation(source="s1", quote=quote)
    if stands:
        assert run("a").body == "a"
        assert len(run("a", citations=[citation]).citations) == 1
    else:
        assert problems("a", citations=[citation]) == [(None, "quote")]


def test_a_quote_gets_the_quotation_marks_of_its_source() -> None:
    cleaned = run("a", citations=[Citation(source="s1", quote='said: "Don\'t move it"')])
    assert cleaned.citations == [Citation(source="s1", quote="said: “Don’t move it”")]
    assert cleaned.repairs == ["a quote of s1 now has the quotation marks of the source"]


def test_a_quote_block_is_compared_by_what_readers_see() -> None:
    body = ":::quote{source=s1}\n*It is* illegal to\npark.:cite[s1]\n\nShe said: \"Don't\n:::"
    assert run(body).body == body
    assert problems(body.replace("illegal", "legal")) == [(1, "quote")]


def test_mechanical_faults_are_mended_and_noted() -> None:
    body = (
        "# A  Title\r\n\r\n\r\n### One  \r\na\x00\ud800\r\n\r\n\r\n"
        "```\r\nx  \r\n\r\n\r\n```\r\n#### Two\r\n"
    )
    cleaned = run(body, title="A\x07 title")
    assert cleaned.body == "## One\na\n\n```\nx  \n\n\n```\n### Two"
    assert cleaned.title == "A title"
    assert cleaned.repairs == [
        "1 unprintable characters dropped from the title",
        "2 unprintable characters dropped from the body",
        "line ends are LF now",
        "blanks dropped from the ends of 1 lines",
        "2 needless blank lines dropped",
        "the first heading repeated the title and was dropped",
        "headings moved by -1 to begin at ##",
    ]


def test_an_h1_over_the_others_moves_all_of_them_down() -> None:
    assert run("# One\n\n## Two").body == "## One\n\n### Two"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("## A\n\n# B", 1),
        ("## A\n\n#### B", 3),
        ("A\n===", 1),
        ("# A\n\n###### B", 1),
        ("##\n\na", 1),
        ("> # A", 1),
    ],
)
def test_headings_that_no_shift_mends_are_refused(body: str, line: int) -> None:
    assert problems(body)[0] == (line, "heading")


def test_blocks_too_deep_to_be_shown_are_refused() -> None:
    assert problems("a\n\n" + "> " * 25 + "b")[0] == (3, "nesting")


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"title": " "}, "title"), ({"title": "a" * 201}, "title"), ({"summary": ""}, "summary")],
)
def test_a_head_that_cannot_be_stored_is_refused(changes: dict[str, str], code: str) -> None:
    assert problems("a", **changes) == [(None, code)]


def test_a_body_without_words_or_without_end_is_refused() -> None:
    assert problems(" \n") == [(None, "empty")]
    assert problems("a" * 200_001) == [(None, "length")]


def test_what_is_not_wrong_is_only_reported() -> None:
    grounded = Grounded(sources=[source("s1"), source("s3", injection_score=0.7)])
    options = CleanOptions(words_least=10, words_most=20, phrases_to_flag=["del(ve|ving)", "zzz"])
    assert run("We delve.", grounded=grounded, options=options).findings == [
        "2 words, fewer than 10",
        "no directive stands in the body",
        "nothing is cited, though the brief names 1 sources",
        "s1 is never cited: Title of s1",
        "s3 is never cited: Title of s3",
        "the pattern 'del(ve|ving)' matches: 'delve'",
    ]
    body = "a " * 21 + ":cite[s1,s3] [x](#nowhere)"
    assert run(body, grounded=grounded, options=options).findings == [
        "22 words, more than 20",
        "s3 is cited and reads like orders to a model (score 0.70): https://example.org/s3",
        "line 1: the link #nowhere leads nowhere",
    ]


def test_a_pattern_that_takes_exponential_time_is_left_and_reported() -> None:
    options = CleanOptions(words_least=0, phrases_to_flag=[r"(x+x+)+(?:y|\b\B)\1"])
    body = ":cite[s1] " + "x" * 5000
    assert run(body, options=options).findings == [
        r"the pattern '(x+x+)+(?:y|\\b\\B)\\1' took too long and was left; simplify it"
    ]


def anti_patterns(*patterns: str | None, severity: str = "warn") -> list[dict[str, Any]]:
    each = {"text": "Hype.", "why": "It ages.", "severity": severity}
    return [each | {"pattern": pattern} for pattern in patterns]


def test_an_anti_pattern_that_is_found_is_reported_and_flags_if_it_says_so() -> None:
    body = "A Huge, huge clock.:cite[s1]"
    told = "anti-pattern 'Hype.': 'Huge', 'huge'. It ages."
    for severity, flags in (("warn", []), ("flag", [told])):
        given = anti_patterns(r"\bhuge\b", "tiny", None, severity=severity)
        options = CleanOptions.model_validate({"words_least": 0, "anti_patterns": given})
        cleaned = run(body, grounded=Grounded(sources=[source("s1")]), options=options)
        assert cleaned.findings == [told]
        assert (cleaned.flags, cleaned.body) == (flags, body)


def test_an_anti_pattern_that_takes_exponential_time_is_named_and_left() -> None:
    slow = anti_patterns(r"(x+x+)+(?:y|\b\B)\1", "x{5}", severity="flag")
    options = CleanOptions.model_validate({"words_least": 0, "anti_patterns": slow})
    cleaned = run(
        ":cite[s1] " + "x" * 5000, grounded=Grounded(sources=[source("s1")]), options=options
    )
    told = (
        r"anti-pattern 'Hype.' could not be looked for: its pattern '(x+x+)+(?:y|\\b\\B)\\1' "
        "took too long and was left; simplify it"
    )
    assert cleaned.flags[0] == cleaned.findings[0] == told
    assert cleaned.flags[1].startswith("anti-pattern 'Hype.': 'xxxxx', 'xxxxx'")


def test_when_the_time_for_all_patterns_is_over_the_rest_is_told_as_not_looked_for() -> None:
    search = PhraseSearch("a text with a", seconds=0)
    assert list(find_phrases(search, ["a", "b"])) == [
        "the pattern 'a' took too long and was left; simplify it",
        "the pattern 'b' took too long and was left; simplify it",
    ]


def test_a_source_that_reads_like_orders_flags_only_where_it_is_cited() -> None:
    grounded = Grounded(sources=[source("s1"), source("s3", injection_score=0.7)])
    flag = "s3 is cited and reads like orders to a model (score 0.70): https://example.org/s3"
    assert run("We:cite[s1] delve.", grounded=grounded).flags == []
    assert run("We:cite[s3] delve.", grounded=grounded).flags == [flag]


def test_a_dead_page_that_a_later_pass_found_flags_nothing() -> None:
    dead = source("s2", status="dead", problem="answers 404", text="", found_in="s1")
    assert run("We:cite[s1].", grounded=Grounded(sources=[source("s1"), dead])).flags == []


def test_flags_and_findings_of_earlier_steps_go_on_once_each_on_one_line() -> None:
    cleaned = run(
        "We:cite[s1] delve.",
        grounded=Grounded(sources=[source("s1")]),
        flags=["a\nflag", "a flag", " ", "\x00b"],
        findings=["checked"],
    )
    assert (cleaned.flags, cleaned.findings) == (["a flag", "b"], ["checked"])


def test_options_with_a_pattern_that_is_none_are_refused() -> None:
    with pytest.raises(ValidationError, match="is no regular expression"):
        CleanOptions(phrases_to_flag=["("])
    with pytest.raises(ValidationError, match="is no regular expression"):
        CleanOptions.model_validate({"anti_patterns": anti_patterns("(")})


PIECES = [
    *(
        ":cite[s1]",
        "::source[s1]\n",
        ":::note[T]\n",
        ":::quote{source=s1}\n",
        ":::\n",
        "\n\n",
        "\n",
    ),
    *("It is illegal", "# ", "## ", "### ", "===\n", "```\n", "> ", "- ", "[a](", ")", "https://x"),
    *("https://example.org/s1", "[r]: <", ">", "<b>", "<!--", "\x00", "\udfff", "\r", "\t", "  \n"),
    *("[", "]", "(", "*", "`", "|a|\n|-|\n", "word ", "\\", "&#0;", "![", "[x](https://[)"),
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30).map("".join))
@example("```\n::source[s1]\n  \n")
@settings(max_examples=400, deadline=None)
def test_whatever_a_model_writes_is_cleaned_or_refused_and_cleaning_twice_changes_nothing(
    body: str,
) -> None:
    try:
        cleaned = run(body)
    except NonRetryableError as refusal:
        assert refusal.data["problems"]  # noqa: PT017 - either outcome is right
        return
    again = run(cleaned.body)
    assert (again.body, again.repairs) == (cleaned.body, [])
