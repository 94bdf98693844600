"""`bench api`: new briefs and duplicates a second over HTTP, beside a view that inserts one row.

Gunicorn runs as `dev` runs it, on an empty database; the clients are threads of this process, so
they have their share of the same cores. Rows are counted in SQL afterwards.
"""

import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO

from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from publishing.benches import bare
from publishing.benches.children import serving
from publishing.benches.report import BenchError, Figure, Report, Size
from publishing.benches.scratch import scratch_database
from publishing.benches.senders import Posting, Sent, post_for
from publishing.benches.standing import standing_drain
from publishing.demo.briefs import load_briefs
from publishing.demo.preparing import make_routine_key

LEAST_NEW = 300.0  # a second, on two cores
LEAST_DUPLICATES = 1_000.0
SOURCES = "https://example.org"  # named in the briefs, and never asked
BARE = "one bare insert"
NEW = "new briefs"
AGAIN = "duplicates"


@dataclass(frozen=True)
class Span:
    """How often everything is measured, and for how long each time."""

    rounds: int
    seconds: float


SPANS = {Size.FULL: Span(rounds=5, seconds=4.0), Size.QUICK: Span(rounds=1, seconds=0.1)}


def measure(size: Size) -> Report:
    """Run the bench in a scratch database.

    Raises:
        BenchError: a post was answered otherwise than it should, or the database does not hold
            what was counted.
    """
    with scratch_database():
        call_command("load_lanes", stdout=StringIO())
        with connection.cursor() as cursor:
            cursor.execute(bare.TABLE)
        sent, done = _send(SPANS[size], make_routine_key())
        _check(done)
    return Report("api", size, _figures(sent), dict(done))


def _send(span: Span, key: str) -> tuple[dict[str, list[Sent]], Counter[str]]:
    sent: dict[str, list[Sent]] = {BARE: [], NEW: [], AGAIN: []}
    done = Counter[str]()
    numbers = {name: itertools.count() for name in sent}
    # A drain that stands is what a brief meets in production: it calls for none.
    with (
        serving() as site,
        serving(settings_module="publishing.benches.bare_settings") as yard,
        standing_drain(),
    ):
        body, path = _body_of_numbers(), reverse("api:publish")

        def again(number: int) -> bytes:
            return body(number % done[NEW])

        postings = {
            BARE: Posting(yard, bare.PATH, key, body, 202),
            NEW: Posting(site, path, key, body, 202),
            AGAIN: Posting(site, path, key, again, 200),
        }
        for number in range(span.rounds + 1):
            for name, posting in postings.items():
                taken = post_for(span.seconds if number else 0, posting, numbers[name])
                done[name] += len(taken.milliseconds)
                if number:  # the first round only warms up
                    sent[name].append(taken)
    return sent, done


def _body_of_numbers() -> Callable[[int], bytes]:
    """Return what makes the brief of a number: a sample brief under an ID and title of its own."""
    sample = load_briefs(SOURCES)[0]

    def body(number: int) -> bytes:
        return json.dumps(
            sample | {"brief_id": f"bench-{number}", "title": f"{number}: {sample['title']}"}
        ).encode()

    return body


def _figures(sent: dict[str, list[Sent]]) -> list[Figure]:
    least = {NEW: LEAST_NEW, AGAIN: LEAST_DUPLICATES}
    figures = []
    for name, rounds in sent.items():
        rates, is_bare = [each.per_second for each in rounds], name == BARE
        figures.append(Figure(name, "1/s", rates, is_bare, least=least.get(name)))
        for rank in (50, 99):
            taken = [each.percentiles[rank - 1] for each in rounds]
            figures.append(Figure(f"{name}, p{rank}", "ms", taken, is_bare))
    for name in (NEW, AGAIN):
        pairs = zip(sent[name], sent[BARE], strict=True)
        ratios = [ours.per_second / yard.per_second for ours, yard in pairs]
        figures.append(Figure(f"{name} by bare inserts", "x", ratios))
    return figures


def _check(done: Counter[str]) -> None:
    """Say whether each post did what it was answered with, once.

    Raises:
        BenchError: it did not; the figures mean nothing.
    """
    expected = (done[NEW],) * 5 + (done[AGAIN], done[BARE])
    with connection.cursor() as cursor:
        cursor.execute(_FOUND)
        found = cursor.fetchone()
    if found != expected:
        raise BenchError(
            f"counted {dict(done)}; the database holds {found} instances, their envelopes, their "
            "briefs, distinct payloads, texts, duplicates and bare rows"
        )


_FOUND = """
select (select count(*) from workflows_instance), (select count(*) from workflows_envelope),
    (select count(distinct instance_id) from publishing_brief),
    (select count(distinct payload ->> 'brief_id') from publishing_brief),
    (select count(distinct brief_id) from publishing_text),
    (select coalesce(sum(duplicates), 0) from publishing_brief), (select count(*) from yard)
"""
