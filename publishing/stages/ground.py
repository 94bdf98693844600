"""ground: fetch every source of the brief, so that the article rests on pages that were read.

Nothing is stored before the end: a retry asks every page again, and the record of the step is the
one place where a page's text is kept.
"""

from typing import Literal
from urllib.parse import urlsplit

from publishing.fetching.links import addresses_of, asked_by, keep_links, words_of
from publishing.fetching.sources import Result, Wanted, fetch_all, share_room
from publishing.payloads import Brief, FetchedSource, Grounded, Validated
from workflows.contracts import StepContext, StepOptions
from workflows.errors import NonRetryableError, RetryableError
from workflows.registry import step
from workflows.retries import RetryPolicy

POLICY = RetryPolicy(retries=3)  # 10, 20 and 40 s: an outage longer than that makes a dead source
MAX_FOLLOWED = 3  # pages of a second pass


class GroundOptions(StepOptions):
    """How far to look and what a dead link means.

    Attributes:
        passes: 2 also follows links in the text of the fetched pages, on the same host, at most
            three, those that speak of what the brief asks.
        dead_links: `note` keeps a dead source with its problem; `fail` ends the instance.
    """

    passes: Literal[1, 2] = 1
    dead_links: Literal["note", "fail"] = "note"


@step("ground", policy=POLICY)
def ground(
    brief: Brief, validated: Validated, options: GroundOptions, context: StepContext
) -> Grounded:
    """Fetch the brief's sources, `s1`, `s2` … in its order, then those of a second pass.

    `validated` is not read: it makes `ground` come after the stage that may refuse the brief.

    Raises:
        RetryableError: a source did not answer and may come back; every source is asked again,
            until the last attempt, which takes it for dead. Or: none is left that did.
        NonRetryableError: all sources are dead, or one is and `dead_links` is `fail`.
    """
    results = fetch_all(_wanted_by(brief), context.deadline)
    _wait_for_outages(results, context.failures + 1)
    _judge_dead(results, options)
    if options.passes == 2:
        # What does not answer here is dead at once: nobody asked for it, so nothing waits for it.
        results += fetch_all(_choose_links(brief, results), context.deadline)
    return Grounded(sources=share_room([_with_links(result, brief) for result in results]))


def _wanted_by(brief: Brief) -> list[Wanted]:
    return [
        Wanted(id=f"s{n}", url=source.url, title=source.title or "", note=source.note or "")
        for n, source in enumerate(brief.sources, start=1)
    ]


def _with_links(result: Result, brief: Brief) -> FetchedSource:
    return result.source.model_copy(update={"links": keep_links(result.links, asked_by(brief))})


def _wait_for_outages(results: list[Result], failures: int) -> None:
    outages = [result.outage for result in results if result.outage]
    is_all = len(outages) == len(results)
    if outages and (is_all or POLICY.allows_retry(failures)):
        raise RetryableError(
            f"sources do not answer: {_problems(results)}",
            delay=max((outage.delay for outage in outages if outage.delay), default=None),
        )


def _judge_dead(results: list[Result], options: GroundOptions) -> None:
    dead = [result.source for result in results if result.source.status == "dead"]
    if not dead or (len(dead) < len(results) and options.dead_links == "note"):
        return
    if len(dead) == len(results):
        verdict = "no source of the brief can be read"
    else:
        verdict = "a source of the brief is dead, and this lane takes none such"
    raise NonRetryableError(
        f"{verdict}: {_problems(results)}; an operator may retry when the pages answer again",
        data={"dead": [{"id": one.id, "url": one.url, "problem": one.problem} for one in dead]},
    )


def _problems(results: list[Result]) -> str:
    dead = (result.source for result in results if result.source.status == "dead")
    return "; ".join(f"{source.id} {source.url} {source.problem}" for source in dead)


def _choose_links(brief: Brief, results: list[Result]) -> list[Wanted]:
    """Choose the links whose words and paragraph speak most of what the brief asks."""
    asked = asked_by(brief)
    known = addresses_of(result.source for result in results)
    chances: dict[str, tuple[int, str, str]] = {}
    for result in results:
        for link in result.links:
            shared = len(asked & words_of(f"{link.text} {link.context}"))
            is_near = urlsplit(link.url).netloc == urlsplit(result.source.final_url).netloc
            if is_near and shared and link.url not in known:
                chances.setdefault(link.url, (shared, link.text, result.source.id))
    best = sorted(chances.items(), key=lambda chance: -chance[1][0])[:MAX_FOLLOWED]
    return [
        Wanted(id=f"s{n}", url=url, title=text, found_in=found_in)
        for n, (url, (_, text, found_in)) in enumerate(best, start=len(results) + 1)
    ]
