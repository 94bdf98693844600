"""Fetch pages as sources: a few at a time, each read, or taken for dead with the reason."""

import hashlib
import logging
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from publishing.fetching.pages import Link, UnreadablePageError, cut_text, read_page
from publishing.fetching.web import FetchError, UnreachablePageError, fetch
from publishing.payloads import FetchedSource

logger = logging.getLogger(__name__)

MAX_TEXT_CHARS = 400_000  # of all sources together; half of what a model's window of today holds

_AT_ONCE = 4  # threads; how many pages are fetched at a time
_FETCH_SECONDS = 30  # a page with its redirects; 23 pages at worst then take 3 minutes of 10
_SPARE = timedelta(seconds=10)  # kept before the deadline to read what was fetched


@dataclass(frozen=True)
class Wanted:
    """A page to fetch: the id that it gets, and what is known of it before."""

    id: str
    url: str
    title: str = ""
    note: str = ""
    found_in: str | None = None


@dataclass(frozen=True)
class Result:
    """What became of one page.

    Attributes:
        links: those in its text.
        outage: why it is dead, where it may come back by itself.
    """

    source: FetchedSource
    links: Sequence[Link] = ()
    outage: UnreachablePageError | None = None


def fetch_all(wanted: list[Wanted], deadline: datetime) -> list[Result]:
    """Fetch a few at a time, in daemon threads: those of a pool would keep a worker from ending."""
    waiting: queue.SimpleQueue[tuple[int, Wanted]] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[int, Result | Exception]] = queue.SimpleQueue()
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


def _outcome(wanted: Wanted, deadline: datetime) -> Result | Exception:
    try:
        return _fetch_one(wanted, deadline)
    except Exception as error:  # noqa: BLE001 - raised again by the thread that waits for it
        return error


def _result(outcome: Result | Exception) -> Result:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _fetch_one(wanted: Wanted, deadline: datetime) -> Result:
    now = datetime.now(UTC)
    limit = min(now + timedelta(seconds=_FETCH_SECONDS), deadline - _SPARE)
    try:
        fetched = fetch(wanted.url, deadline=limit)
    except FetchError as error:
        outage = error if isinstance(error, UnreachablePageError) else None
        return Result(_dead(wanted, str(error), now), outage=outage)
    try:
        page = read_page(
            fetched.body,
            content_type=fetched.content_type,
            charset=fetched.charset,
            url=fetched.url,
        )
    except UnreadablePageError as error:
        logger.warning("%s was taken for dead", fetched.url, exc_info=error.__cause__)
        return Result(_dead(wanted, str(error), now))
    if not page.text:
        return Result(_dead(wanted, "has no text that can be read without scripts", now))
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
    return Result(source, links=page.links)


def _dead(wanted: Wanted, problem: str, now: datetime) -> FetchedSource:
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


def share_room(sources: list[FetchedSource]) -> list[FetchedSource]:
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
