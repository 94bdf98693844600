"""When a failed attempt is tried again."""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

JITTER = 0.1  # of the delay, added at random, so that what failed together does not return together


@dataclass(frozen=True)
class RetryPolicy:
    """Retries of one step; the defaults are those of Cloudflare Workflows (docs of 2026-06-15).

    Attributes:
        retries: tries after the first; 0 means one try.
        delay: wait before the first retry.
        backoff: `constant` d, `linear` d*n, `exponential` d*2^(n-1) before retry n.
        timeout: time an attempt may take before the watchdog fails it.
        longest: upper bound of a delay.
    """

    retries: int = 5
    delay: timedelta = field(default=timedelta(seconds=10))
    backoff: Literal["constant", "linear", "exponential"] = "exponential"
    timeout: timedelta = field(default=timedelta(minutes=10))
    longest: timedelta = field(default=timedelta(hours=1))

    def allows_retry(self, failures: int) -> bool:
        """Say whether another try follows the given number of failed ones."""
        return failures <= self.retries

    def delay_before(self, retry: int) -> timedelta:
        """Return the wait before retry number `retry` (from 1), with jitter."""
        doublings = min(retry - 1, 30)
        factors = {"constant": 1, "linear": retry, "exponential": 1 << doublings}
        wait = min(self.delay * factors[self.backoff], self.longest)
        return wait * (1 + JITTER * random.random())  # noqa: S311 - spreads load, no secret
