"""ground: fetch every source of the brief, so that the article rests on pages that were read.

Nothing is stored before the end: a retry asks every page again, and the record of the step is the
one place where a page's text is kept.
"""

import hashlib
import logging
import queue
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from publishing.fetching.pages import Link, UnreadablePageError, cut_text, read_page
from publishing.fetching.web import FetchError, UnreachablePageError, fetch
from publishing.payloads import Brief, FetchedSource, Grounded, Validated
from workflows.contracts import StepContext, StepOptions
from workflows.errors import NonRetryableError, RetryableError
from workflows.registry import step
from workflows.retries import RetryPolicy

logger = logging.getLogger(__name__)

POLICY = RetryPolicy(retries=3)  # 10, 20 and 40 s: an outage longer than that makes a dead source
MAX_FOLLOWED = 3  # pages of a second pass
MAX_TEXT_CHARS = 400_000  # of all sources together; half of what a model's window of today holds

_AT_ONCE = 4  # threads; how many pages are fetched at a time
_FETCH_SECONDS = 30  # a page with its redirects; 23 pages at worst then take 3 minutes of 10
_SPARE = timedelta(seconds=10)  # kept before the deadline to read what was fetched
_COMMON = {
    "about", "after", "also", "because", "been", "before", "being", "between", "both", "could",
    "does", "each", "every", "from", "have", "here", "into", "just", "like", "many", "more", "most",
    "much", "only", "other", "over", "same", "should", "some", "such", "than", "that", "their",
    "them", "then", "there", "these", "they", "this", "those", "under", "very", "were", "what",
    "when", "where", "which", "while", "will", "with", "would", "your",
}  # fmt: skip


class GroundOptions(StepOptions):
    """How far to look and what a dead link means.

    Attributes:
        passes: 2 also follows links in the text of the fetched pages, on the same host, at most
            three, those that speak of what the brief asks.
        dead_links: `note` keeps a dead source with its problem; `fail` ends the instance.
    """

    passes: Literal[1, 2] = 1
    dead_links: Literal["note", "fail"] = "note"


@dataclass(frozen=True)
class _Wanted:
    id: str
    url: str
    title: str = ""
    note: str = ""
    found_in: str | None = None


@dataclass(frozen=True)
class _Result:
    source: FetchedSource
    links: Sequence[Link] = ()
    outage: UnreachablePageError | None = None


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
    results = _fetch_all(_wanted_by(brief), context.deadline)
    _wait_for_outages(results, context.failures + 1)
    _judge_dead(results, options)
    if options.passes == 2:
        # What does not answer here is dead at once: nobody asked for it, so nothing waits for it.
        results += _fetch_all(_choose_links(brief, results), context.deadline)
    return Grounded(sources=_share_room([result.source for result in results]))


def _wanted_by(brief: Brief) -> list[_Wanted]:
    return [
        _Wanted(id=f"s{n}", url=source.url, title=source.title or "", note=source.note or "")
        for n, source in enumerate(brief.sources, start=1)
    ]


def _fetch_all(wanted: list[_Wanted], deadline: datetime) -> list[_Result]:
    """Fetch a few at a time, in daemon threads: those of a pool would keep a worker from ending."""
    waiting: queue.SimpleQueue[tuple[int, _Wanted]] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[int, _Result | Exception]] = queue.SimpleQueue()
    for one in enumerate(wanted):
        waiting.put(one)

    def work() -> None:
        with suppress(queue.Empty):
            while True:
                place, one = waiting.get_nowait()
                answers.put((place, _outcome(one, deadline)))

    for n in range(min(_AT_ONCE, len(wanted))):
        threading.Thread(target=work, name=f"ground {n}", daemon=True).start()
    outcomes = dict(answers.get() for _ in wanted)
    return [_result(outcomes[place]) for place in range(len(wanted))]


def _outcome(wanted: _Wanted, deadline: datetime) -> _Result | Exception:
    try:
        return _fetch_one(wanted, deadline)
    except Exception as error:  # noqa: BLE001 - raised again by the thread that waits for it
        return error


def _result(outcome: _Result | Exception) -> _Result:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _fetch_one(wanted: _Wanted, deadline: datetime) -> _Result:
    now = datetime.now(UTC)
    limit = min(now + timedelta(seconds=_FETCH_SECONDS), deadline - _SPARE)
    try:
        fetched = fetch(wanted.url, deadline=limit)
    except FetchError as error:
        outage = error if isinstance(error, UnreachablePageError) else None
        return _Result(_dead(wanted, str(error), now), outage=outage)
    try:
        page = read_page(
            fetched.body,
            content_type=fetched.content_type,
            charset=fetched.charset,
            url=fetched.url,
        )
    except UnreadablePageError as error:
        logger.warning("%s was taken for dead", fetched.url, exc_info=error.__cause__)
        return _Result(_dead(wanted, str(error), now))
    if not page.text:
        return _Result(_dead(wanted, "has no text that can be read without scripts", now))
    source = FetchedSource(
        id=wanted.id,
        url=wanted.url,
        final_url=fetched.url,
        status="fetched",
        title=page.title or wanted.title,
        author=page.author,
        site=urlsplit(fetched.url).hostname or "",
        note=wanted.note,
        text=page.text,
        sha256=hashlib.sha256(fetched.body).hexdigest(),
        injection_score=page.injection_score,
        found_in=wanted.found_in,
        fetched_at=now,
    )
    return _Result(source, links=page.links)


def _dead(wanted: _Wanted, problem: str, now: datetime) -> FetchedSource:
    return FetchedSource(
        id=wanted.id,
        url=wanted.url,
        final_url=wanted.url,
        status="dead",
        problem=problem,
        title=wanted.title,
        note=wanted.note,
        found_in=wanted.found_in,
        fetched_at=now,
    )


def _wait_for_outages(results: list[_Result], failures: int) -> None:
    outages = [result.outage for result in results if result.outage]
    is_all = len(outages) == len(results)
    if outages and (is_all or POLICY.allows_retry(failures)):
        raise RetryableError(
            f"sources do not answer: {_problems(results)}",
            delay=max((outage.delay for outage in outages if outage.delay), default=None),
        )


def _judge_dead(results: list[_Result], options: GroundOptions) -> None:
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


def _problems(results: list[_Result]) -> str:
    dead = (result.source for result in results if result.source.status == "dead")
    return "; ".join(f"{source.id} {source.url} {source.problem}" for source in dead)


def _choose_links(brief: Brief, results: list[_Result]) -> list[_Wanted]:
    """Choose the links whose words and paragraph speak most of what the brief asks."""
    asked = _words(" ".join([brief.title, brief.summary, *brief.points]))
    known = {url for result in results for url in (result.source.url, result.source.final_url)}
    chances: dict[str, tuple[int, str, str]] = {}
    for result in results:
        for link in result.links:
            shared = len(asked & _words(f"{link.text} {link.context}"))
            is_near = urlsplit(link.url).netloc == urlsplit(result.source.final_url).netloc
            if is_near and shared and link.url not in known:
                chances.setdefault(link.url, (shared, link.text, result.source.id))
    best = sorted(chances.items(), key=lambda chance: -chance[1][0])[:MAX_FOLLOWED]
    return [
        _Wanted(id=f"s{n}", url=url, title=text, found_in=found_in)
        for n, (url, (_, text, found_in)) in enumerate(best, start=len(results) + 1)
    ]


def _words(text: str) -> set[str]:
    """Return the beginnings of the words that mean something: `taster` and `taste` are one."""
    words = re.findall(r"[^\W\d_]{4,}", text.casefold())
    return {word[:5] for word in words if word not in _COMMON}


def _share_room(sources: list[FetchedSource]) -> list[FetchedSource]:
    """Cut the longest texts so that all together keep to the limit; short ones stay whole."""
    room = MAX_TEXT_CHARS
    limits: dict[str, int] = {}
    for left, source in zip(
        range(len(sources), 0, -1), sorted(sources, key=lambda one: len(one.text)), strict=True
    ):
        limits[source.id] = min(len(source.text), room // left)
        room -= limits[source.id]
    return [
        source.model_copy(update={"text": cut_text(source.text, limits[source.id])})
        for source in sources
    ]
