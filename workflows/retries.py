"""When a failed attempt is tried again."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

JITTER = 0.1  # of the delay, added at random, so that what failed together does not return together
LONGEST_SECONDS = 365 * 24 * 3600  # of any delay, sleep or timeout, as on Cloudflare Workflows

Backoff = Literal["constant", "linear", "exponential"]


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
    backoff: Backoff = "exponential"
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

    def frozen(self) -> dict[str, Any]:
        """Return it as JSON, as it is kept with an instance from the entry's first failure on."""
        return {
            "retries": self.retries,
            "delay_seconds": self.delay.total_seconds(),
            "backoff": self.backoff,
            "timeout_seconds": self.timeout.total_seconds(),
            "longest_seconds": self.longest.total_seconds(),
        }

    def overridden(self, override: "PolicyOverride") -> "RetryPolicy":
        """Return it with what a graph entry, or a frozen policy, says otherwise."""
        given = override.model_dump(exclude_none=True)
        changes: dict[str, Any] = {
            name.removesuffix("_seconds"): timedelta(seconds=value)
            if name.endswith("_seconds")
            else value
            for name, value in given.items()
        }
        return replace(self, **changes)

    def or_frozen(self, frozen: Mapping[str, Any] | None) -> "RetryPolicy":
        """Return the policy that the entry's first failure froze, else this one."""
        return self if frozen is None else self.overridden(PolicyOverride.model_validate(frozen))


class PolicyOverride(BaseModel):
    """What a graph entry may say about its step's retries, under `policy`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    retries: int | None = Field(default=None, ge=0, le=1000)
    delay_seconds: float | None = Field(default=None, ge=0, le=LONGEST_SECONDS)
    backoff: Backoff | None = None
    timeout_seconds: float | None = Field(default=None, gt=0, le=LONGEST_SECONDS)
    longest_seconds: float | None = Field(default=None, ge=0, le=LONGEST_SECONDS)
