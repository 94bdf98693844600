"""The stage that refuses what is wrong in a draft, mends what is mechanical, reports the rest.

It pays nothing and reaches no network. What it lets through can be shown: every directive is
known, every link and citation leads to a fetched source, every quote stands in its source.
"""

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from lanes.contracts import AntiPattern
from publishing.cleaning.findings import find_doubts, find_length, find_noteworthy
from publishing.cleaning.phrases import (
    PhraseSearch,
    compile_pattern,
    find_anti_patterns,
    find_phrases,
)
from publishing.cleaning.problems import (
    LONGEST_BODY,
    Problem,
    Sources,
    find_citation_problems,
    find_problems,
)
from publishing.cleaning.repairs import Mended, drop_unprintable, mend
from publishing.directives.plain import text_of
from publishing.payloads import Brief, Citation, Cleaned, Draft, Grounded
from workflows.contracts import StepOptions
from workflows.errors import NonRetryableError
from workflows.registry import step

_LONGEST_TITLE = 200  # of a stored revision
_LONGEST_TOLD = 1_000  # characters of one flag or finding of an earlier step
_MOST_LISTED = 100  # problems in the error's data; flags


class CleanOptions(StepOptions):
    """What a lane expects of an article; all of it is reported, nothing of it is refused.

    Attributes:
        anti_patterns: what the lane does not print; those with a pattern are looked for in title,
            summary and text. `warn` is reported, `flag` asks for a reviewer as well.
        phrases_to_flag: regular expressions, blind to case, searched in title, summary and text.
    """

    words_least: Annotated[int, Field(ge=0)] = 400
    words_most: Annotated[int, Field(ge=1)] = 2000
    phrases_to_flag: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=500)]],
        Field(max_length=100),
    ] = []

    anti_patterns: Annotated[list[AntiPattern], Field(max_length=200)] = []

    @field_validator("anti_patterns")
    @classmethod
    def _compile_all(cls, given: list[AntiPattern]) -> list[AntiPattern]:
        for each in given:
            compile_pattern(each.pattern or "")
        return given

    @field_validator("phrases_to_flag")
    @classmethod
    def _compile(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            compile_pattern(pattern)
        return patterns


@step("clean")
def clean(draft: Draft, grounded: Grounded, brief: Brief, options: CleanOptions) -> Cleaned:
    """Return the draft mended and with its findings.

    Raises:
        NonRetryableError: something is wrong for good; `data["problems"]` lists all of it with
            the draft's line numbers.
    """
    if len(draft.body) > LONGEST_BODY:
        _refuse([Problem(None, "length", f"the body is longer than {LONGEST_BODY} characters")], [])
    sources = Sources(grounded)
    repairs: list[str] = []
    title = _mend_line(draft.title, "title", repairs)
    summary = _mend_line(draft.summary, "summary", repairs)
    citations = _mend_citations(draft.citations, sources, repairs)
    tags = _mend_tags(draft.tags, repairs)
    mended = mend(draft.body, title=title)
    repairs += mended.repairs
    reading = mended.reading
    problems = [
        *_head_problems(title, summary),
        *find_citation_problems(citations, sources),
        *(_number(problem, mended) for problem in find_problems(reading, sources)),
    ]
    text = text_of(reading.tokens)
    if not text and not problems:
        problems.append(Problem(None, "empty", "the body has no words"))
    if problems:
        _refuse(problems, repairs)
    search = PhraseSearch(f"{title}\n\n{summary}\n\n{text}")
    avoided = list(find_anti_patterns(search, options.anti_patterns))
    doubts = find_doubts(reading, grounded)
    flagged = [*draft.flags, *doubts, *(told for told, is_flag in avoided if is_flag)]
    return Cleaned(
        title=title,
        summary=summary,
        body=mended.body,
        tags=tags,
        citations=citations,
        written_by=draft.written_by,
        flags=_tidy(flagged, repairs),
        findings=[
            *_tidy(draft.findings, repairs),
            *find_length(text, least=options.words_least, most=options.words_most),
            *find_noteworthy(reading, sources, brief),
            *(told for told, _ in avoided),
            *find_phrases(search, options.phrases_to_flag),
        ],
        repairs=repairs,
    )


def _mend_line(text: str, what: str, repairs: list[str]) -> str:
    return " ".join(drop_unprintable(text, what, repairs).split())


def _tidy(told: list[str], repairs: list[str]) -> list[str]:
    """Return reasons and findings once each; a model may have written some of them."""
    lines = (_mend_line(line[:_LONGEST_TOLD], "flags and findings", repairs) for line in told)
    return list(dict.fromkeys(line for line in lines if line))[:_MOST_LISTED]


def _mend_citations(
    citations: list[Citation], sources: Sources, repairs: list[str]
) -> list[Citation]:
    """Give each quote the source's own quotation marks, where these are the only difference."""
    mended = []
    for citation in citations:
        key = drop_unprintable(citation.source, "id of a citation", repairs)
        quote = drop_unprintable(citation.quote, "quote of a citation", repairs)
        found = sources.text(key).find(quote) if key in sources.by_id else None
        if found and found != " ".join(quote.split()):
            repairs.append(f"a quote of {key} now has the quotation marks of the source")
        mended.append(Citation(source=key, quote=found or quote))
    return mended


def _mend_tags(tags: list[str], repairs: list[str]) -> list[str]:
    """Drop tags that are empty or stand twice."""
    printable = (_mend_line(tag, "tags", repairs) for tag in tags)
    kept = list(dict.fromkeys(tag for tag in printable if tag))
    if len(kept) < len(tags):
        repairs.append("empty or repeated tags dropped")
    return kept


def _head_problems(title: str, summary: str) -> list[Problem]:
    problems = []
    if not title or len(title) > _LONGEST_TITLE:
        message = f"the title has {len(title)} characters; it has 1 to {_LONGEST_TITLE}"
        problems.append(Problem(None, "title", message))
    if not summary:
        problems.append(Problem(None, "summary", "the summary is empty"))
    return problems


def _number(problem: Problem, mended: Mended) -> Problem:
    line = mended.number_of(problem.line) if problem.line else None
    return Problem(line, problem.code, problem.message)


def _refuse(problems: list[Problem], repairs: list[str]) -> None:
    first = problems[0]
    place = f"line {first.line}: " if first.line else ""
    raise NonRetryableError(
        f"the draft has {len(problems)} problems, the first is {place}{first.message}. "
        "A retry checks the same draft again; terminate, and send a new brief.",
        data={
            "problems": [problem.as_data() for problem in problems[:_MOST_LISTED]],
            "count": len(problems),
            "repairs": repairs,
        },
    )
