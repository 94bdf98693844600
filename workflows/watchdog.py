"""What every driver thread of a drain is doing, and the end of attempts past their deadline."""

import logging
import threading
import time
from dataclasses import dataclass

from workflows.checkpoints import Checkpoints
from workflows.claims import Claim
from workflows.errors import LostClaimError
from workflows.models import Outcome
from workflows.retries import RetryPolicy

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunningAttempt:
    """One attempt in flight on a thread of this process.

    Attributes:
        overdue_at: on the monotonic clock: a wall clock that jumps fails nothing.
    """

    claim: Claim
    entry: str
    policy: RetryPolicy
    overdue_at: float


class RunningAttempts:
    """The attempts in flight, by thread; threads write their own slot."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_thread: dict[int, RunningAttempt] = {}

    def begin(self, thread: int, attempt: RunningAttempt) -> None:
        """Note what the thread runs."""
        with self._lock:
            self._by_thread[thread] = attempt

    def end(self, thread: int) -> None:
        """Forget what the thread ran."""
        with self._lock:
            self._by_thread.pop(thread, None)

    def take_overdue(self) -> list[tuple[int, RunningAttempt]]:
        """Return, once, the attempts whose deadline has passed."""
        now = time.monotonic()
        with self._lock:
            overdue = [
                (thread, attempt)
                for thread, attempt in self._by_thread.items()
                if attempt.overdue_at < now
            ]
            for thread, _ in overdue:
                del self._by_thread[thread]
        return overdue

    def take_all(self) -> list[tuple[int, RunningAttempt]]:
        """Return, once, every attempt in flight."""
        with self._lock:
            running = list(self._by_thread.items())
            self._by_thread.clear()
        return running


def fail_overdue(attempt: RunningAttempt, checkpoints: Checkpoints) -> bool:
    """Fail an attempt under its own fence, so that its thread's late write is refused.

    Returns:
        False if the thread had just written itself: it is not overdue any more.
    """
    claim, policy = attempt.claim, attempt.policy
    error = {
        "type": "TimedOut",
        "message": f"took longer than {policy.timeout.total_seconds():g} s",
    }
    failures = claim.failures + 1
    logger.warning("%s: %s %s", claim.instance_id, attempt.entry, error["message"])
    try:
        if policy.allows_retry(failures):
            checkpoints.retry_later(
                claim,
                entry=attempt.entry,
                policy=policy,
                outcome=Outcome.TIMED_OUT,
                error=error,
                delay=policy.delay_before(failures),
            )
        else:
            checkpoints.give_up(claim, entry=attempt.entry, outcome=Outcome.TIMED_OUT, error=error)
    except LostClaimError:
        logger.info("%s: %s ended just in time", claim.instance_id, attempt.entry)
        return False
    return True
