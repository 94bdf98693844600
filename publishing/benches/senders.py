"""Clients that post over kept connections, several at once, and what each answer took."""

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from statistics import quantiles

from publishing.benches.report import BenchError
from publishing.demo.running import HOST

SENDERS = 8  # as many as gunicorn has threads


@dataclass(frozen=True)
class Posting:
    """What is posted, and where.

    Attributes:
        body: of the post of this number; numbers are counted up from 0 over the whole bench.
        status: what each is answered with.
    """

    port: int
    path: str
    key: str
    body: Callable[[int], bytes]
    status: int

    @property
    def headers(self) -> dict[str, str]:
        """What is sent before the body."""
        return {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}


@dataclass(frozen=True)
class Sent:
    """What a number of posts has taken.

    Attributes:
        milliseconds: of each, as the client saw it.
    """

    milliseconds: list[float]
    seconds: float

    @property
    def per_second(self) -> float:
        """How many were answered a second."""
        return len(self.milliseconds) / self.seconds

    @property
    def percentiles(self) -> list[float]:
        """The first to the 99th, in order."""
        return quantiles(self.milliseconds, n=100, method="inclusive")


def post_for(seconds: float, posting: Posting, numbers: "itertools.count[int]") -> Sent:
    """Post from all senders until the time is over, each at least once.

    Raises:
        BenchError: one was answered otherwise than it should.
    """
    barrier = threading.Barrier(SENDERS)

    def work() -> list[float]:
        http = HTTPConnection(HOST, posting.port, timeout=30)
        try:
            barrier.wait()
            ends_at = time.perf_counter() + seconds
            taken = [_post(http, posting, next(numbers))]
            while time.perf_counter() < ends_at:
                taken.append(_post(http, posting, next(numbers)))
            return taken
        finally:
            http.close()

    begun = time.perf_counter()
    with ThreadPoolExecutor(SENDERS) as pool:
        futures = [pool.submit(work) for _ in range(SENDERS)]
        taken = [each for future in futures for each in future.result()]
    return Sent(taken, time.perf_counter() - begun)


def _post(http: HTTPConnection, posting: Posting, number: int) -> float:
    body = posting.body(number)
    begun = time.perf_counter()
    http.request("POST", posting.path, body, posting.headers)
    response = http.getresponse()
    answer = response.read()
    taken = (time.perf_counter() - begun) * 1_000
    if response.status != posting.status:
        raise BenchError(
            f"{posting.path} answered {response.status} where {posting.status} was expected: "
            f"{answer[:500]!r}"
        )
    return taken
