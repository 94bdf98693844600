"""`bench spend`: how fast the ledger reserves, what it adds to a paid call, whom a full lane hurts.

Nothing is paid: the only provider is a server on this machine. What every figure is made of is
counted again in the database at the end.
"""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median

import psycopg
from django.db import connection
from django.db.models import Count
from django.test.utils import override_settings

from publishing.benches.auditing import check_buckets
from publishing.benches.messages_server import MessagesServer, serve_messages
from publishing.benches.neighbours import fill_lane, measure_neighbours
from publishing.benches.report import BenchError, Figure, Report, Size
from publishing.benches.reserving import (
    HOLD,
    TIMEOUT,
    Span,
    call_in,
    milliseconds,
    repeat,
    reserve_one,
)
from publishing.benches.scratch import scratch_database
from publishing.ledger import pay
from publishing.ledger.door import PROVIDERS
from publishing.models import Call, Cap
from publishing.providers.attempts import open_attempt

ROOMY = 10**12  # a cap that nothing here reaches
THREADS = (1, 8, 24)


SPANS = {Size.FULL: Span(rounds=3, seconds=1.0), Size.QUICK: Span(rounds=1, seconds=0.1)}


def measure(size: Size) -> Report:
    """Run the bench in a scratch database.

    Raises:
        BenchError: the database does not hold what was counted.
    """
    span, done = SPANS[size], Counter[str]()
    with scratch_database():
        Cap.objects.update(cap_micros=ROOMY)
        fill_lane()
        figures = measure_neighbours(span, done)  # first: it forks, which threads would disturb
        figures += _measure_reserves(span, done)
        with serve_messages() as server:
            figures += _measure_calls(span, done, server)
        _audit(done, requests=server.seen)
        return Report("spend", size, figures, dict(done))


# --- Reserves a second ------------------------------------------------------------------------


def _measure_reserves(span: Span, done: Counter[str]) -> list[Figure]:
    commits: list[float] = []
    rates: dict[int, list[float]] = {threads: [] for threads in THREADS}
    for _ in range(span.rounds):
        commits.append(_commits_a_second(span.seconds))
        for threads, values in rates.items():
            count, rate = _reserves_a_second(threads, span.seconds)
            values.append(rate)
            done["held"] += count
    return [
        Figure("psycopg: insert and commit, 1 thread", "/s", commits, is_yardstick=True),
        *(
            Figure(f"reserves, {threads} thread{'s'[: threads - 1]}", "/s", values)
            for threads, values in rates.items()
        ),
    ]


def _reserves_a_second(threads: int, seconds: float) -> tuple[int, float]:
    """Reserve in so many threads at once; return how often, and how often a second."""
    barrier = threading.Barrier(threads)

    def work() -> int:
        barrier.wait()
        return len(repeat(reserve_one, seconds))

    begun = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work) for _ in range(threads)]
        count = sum(future.result() for future in futures)
    return count, count / (time.perf_counter() - begun)


def _commits_a_second(seconds: float) -> float:
    """Insert rows of a call's size into a table, one a commit, without anything around it."""
    parameters = connection.get_connection_params()
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool"):
        parameters.pop(ours, None)
    with psycopg.connect(**parameters, autocommit=True) as plain:
        plain.execute("create table if not exists yardstick (id bigserial, held bigint, body text)")
        row = (HOLD, "x" * 300)
        insert = partial(plain.execute, "insert into yardstick (held, body) values (%s, %s)", row)
        begun = time.perf_counter()
        return len(repeat(insert, seconds)) / (time.perf_counter() - begun)


# --- What the ledger adds to a paid call ------------------------------------------------------


def _measure_calls(span: Span, done: Counter[str], server: MessagesServer) -> list[Figure]:
    direct: list[float] = []
    paid: list[float] = []
    with override_settings(ANTHROPIC_API_KEY="bench", ANTHROPIC_BASE_URL=server.url):
        for _ in range(span.rounds):
            taken: tuple[list[float], list[float]] = ([], [])
            # One of each in turn, so that whatever else the machine does meets both.
            repeat(partial(_send_both_ways, *taken), span.seconds)
            direct.append(median(taken[0]))
            paid.append(median(taken[1]))
            done.update(requests=2 * len(taken[0]), settled=len(taken[0]))
    added = [with_ledger - without for with_ledger, without in zip(paid, direct, strict=True)]
    return [
        Figure("call of a local server, directly", "ms", direct, is_yardstick=True),
        Figure("the same call, paid through the ledger", "ms", paid),
        Figure("added by the ledger", "ms", added),
    ]


def _send_both_ways(direct: list[float], paid: list[float]) -> None:
    direct.append(milliseconds(_send_directly))
    paid.append(milliseconds(_pay))


def _send_directly() -> None:
    with open_attempt(0, TIMEOUT):
        PROVIDERS["text"].send(call_in().request)


def _pay() -> None:
    pay(call_in())
    connection.close()


# --- Whether it was all really done -----------------------------------------------------------


def _audit(done: Counter[str], *, requests: int) -> None:
    """Compare what was done with what the database holds.

    Raises:
        BenchError: they differ, or a bucket's sums are not those of its calls.
    """
    done["unknown"] = 1  # of the lane that was filled
    found = Counter({"requests": requests})
    for state, count in Call.objects.values_list("state").annotate(Count("id")):
        found[state] = count
    if found != done:
        raise BenchError(f"counted {dict(done)}, and the database holds {dict(found)}")
    check_buckets()
