"""`bench pipeline`: briefs a minute from queued to live, and how that grows with threads.

The stages are the product's under a real `qcluster`; text, vectors and pictures come from a server
on this machine that takes two seconds for each answer. The ledger is audited at the end.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

from django.core.management import call_command
from django.db import connection
from django.test.utils import override_settings

from publishing.benches.auditing import check_buckets
from publishing.benches.children import running
from publishing.benches.engine.cluster import wait_until
from publishing.benches.report import BenchError, Figure, Report, Size
from publishing.benches.scratch import scratch_database
from publishing.benches.vendors_server import VendorsServer, serve_vendors
from publishing.demo.briefs import load_briefs, serve_sources
from publishing.fetching.sources import Wanted, fetch_all
from publishing.intake.submit import Sender, submit_brief
from publishing.models import Cap
from publishing.payloads import Brief, Grounded
from publishing.writing.offline_author import compose
from workflows.models import Instance, Status

ROOMY = 10**12  # a cap that nothing here reaches
CALLS = 3  # that a brief pays for: text, vectors, picture


@dataclass(frozen=True)
class Crew:
    """How many work, and on how many briefs."""

    workers: int
    threads: int
    briefs: int

    @property
    def name(self) -> str:
        """Such as `2 workers x 32 threads`."""
        return f"{self.workers} worker{'s'[: self.workers - 1]} x {self.threads} threads"


@dataclass(frozen=True)
class Span:
    """Who works, one after the other, and how long a vendor takes."""

    crews: tuple[Crew, ...]
    delay_seconds: float


SPANS = {
    # Three turns of the threads each, or two: the last ones to end are part of the time.
    Size.FULL: Span((Crew(1, 8, 24), Crew(1, 32, 96), Crew(2, 32, 128)), delay_seconds=2.0),
    Size.QUICK: Span((Crew(1, 4, 3),), delay_seconds=0.05),
}


def measure(size: Size) -> Report:
    """Run the bench in a scratch database.

    Raises:
        BenchError: a brief did not go live, or the database does not hold what was counted.
    """
    span, done = SPANS[size], Counter[str]()
    with scratch_database(), serve_sources(0) as sources:
        call_command("load_lanes", stdout=StringIO())
        Cap.objects.update(cap_micros=ROOMY)
        host = urlsplit(sources).netloc
        with override_settings(FETCH_ALLOW_HOSTS=[host]):
            sample = load_briefs(sources)[0]
            with serve_vendors(_write(sample), delay_seconds=span.delay_seconds) as vendors:
                rates = [_publish(crew, sample, vendors, host, done) for crew in span.crews]
                _audit(done, requests=vendors.seen)
    return Report("pipeline", size, _figures(span, rates), dict(done))


def _write(sample: dict[str, Any]) -> dict[str, Any]:
    """Return the article that the vendor answers: of the sample's own sources, so that it holds."""
    brief = Brief.model_validate(sample)
    wanted = [Wanted(id=f"s{n}", url=each.url) for n, each in enumerate(brief.sources, start=1)]
    results = fetch_all(wanted, datetime.now(UTC) + timedelta(minutes=1))
    composed = compose(brief, Grounded(sources=[result.source for result in results]))
    return {
        "title": composed.title,
        "summary": composed.summary,
        "body": composed.body,
        "tags": brief.tags,
        "citations": [citation.model_dump() for citation in composed.citations],
    }


def _publish(
    crew: Crew, sample: dict[str, Any], vendors: VendorsServer, host: str, done: Counter[str]
) -> float:
    """Have the crew publish its briefs; return how many a minute it did."""
    first = done["briefs"]
    sender = Sender(trigger="command", lanes=frozenset({sample["lane"]}))
    for number in range(first, first + crew.briefs):
        named = {"brief_id": f"bench-{number}", "title": f"{number}: {sample['title']}"}
        submit_brief(sample | named, sender)
    size = {"Q_WORKERS": str(crew.workers), "WORKFLOWS_THREADS": str(crew.threads)}
    environment = vendors.environment | size | {"FETCH_ALLOW_HOSTS": host}
    with running(["manage.py", "qcluster"], environment):
        wait_until(_are_at_rest, every=0.1)
    done["briefs"] += crew.briefs
    return crew.briefs / _minutes(first, crew.briefs)


def _are_at_rest() -> bool:
    """Whether all have ended; one that has failed ends the bench at once."""
    failed = Instance.objects.filter(status=Status.ERRORED).first()
    if failed is not None:
        raise BenchError(f"{failed.instance_id} is errored: {failed.error}")
    return not Instance.objects.filter(status__lt=Status.ERRORED).exists()


def _minutes(first: int, count: int) -> float:
    """Return the time from the first claim to the last end, on the database's clock."""
    keys = [f"bench-{number}" for number in range(first, first + count)]
    with connection.cursor() as cursor:
        cursor.execute(_SECONDS, [keys])
        return float(cursor.fetchone()[0]) / 60


def _figures(span: Span, rates: list[float]) -> list[Figure]:
    figures = []
    for crew, rate in zip(span.crews, rates, strict=True):
        most = crew.workers * crew.threads * 60 / (CALLS * span.delay_seconds)
        figures += [
            Figure(f"briefs, {crew.name}", "1/min", [rate]),
            Figure(
                f"the vendors alone would allow, {crew.name}", "1/min", [most], is_yardstick=True
            ),
        ]
    first = rates[0]
    return figures + [
        Figure(f"{crew.name} by {span.crews[0].name}", "x", [rate / first])
        for crew, rate in zip(span.crews[1:], rates[1:], strict=True)
    ]


def _audit(done: Counter[str], *, requests: int) -> None:
    """Say whether each brief is live once, and paid for once.

    Raises:
        BenchError: it is not, or the ledger does not add up; the figures mean nothing.
    """
    done["paid calls"] = CALLS * done["briefs"]
    with connection.cursor() as cursor:
        cursor.execute(_FOUND)
        found = (requests, *cursor.fetchone())
    if found != (done["paid calls"],) * 4 + (done["briefs"],) * 3:
        raise BenchError(
            f"counted {dict(done)}; there were {found} requests, calls, settled calls, their "
            "distinct keys, complete instances, live articles and revisions"
        )
    check_buckets()


_SECONDS = """
select extract(epoch from max(finished_at) - min(started_at)) from workflows_instance
where key = any(%s)
"""
_FOUND = """
select (select count(*) from publishing_call),
    (select count(*) from publishing_call where state = 'settled'),
    (select count(distinct key) from publishing_call),
    (select count(*) from workflows_instance where status = 6),
    (select count(*) from publishing_article where status = 'live'),
    (select count(*) from publishing_revision)
"""
