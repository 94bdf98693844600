"""The driver threads of a drain: what each has in hand, and the end of those that hang."""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import connections

from workflows.checkpoints import Checkpoints
from workflows.claims import Claim
from workflows.retries import RetryPolicy
from workflows.runner import drive
from workflows.watchdog import RunningAttempt, RunningAttempts, fail_overdue

logger = logging.getLogger(__name__)

ABANDONED_MAX = 8  # threads that never returned; a process with more of them ends itself


class Drivers:
    """A fixed number of driver threads; one that hangs is abandoned and replaced."""

    def __init__(
        self, count: int, *, checkpoints: Checkpoints, is_stopping: Callable[[], bool]
    ) -> None:
        self.checkpoints = checkpoints
        self.is_stopping = is_stopping
        self.running = RunningAttempts()
        self.freed = threading.Event()  # set whenever a thread has nothing in hand any more
        self._handed: queue.SimpleQueue[Claim | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._in_hand: dict[int, Claim] = {}
        self._suspects: set[int] = set()
        self._count = count
        self._threads: dict[int, Driver] = {}
        for _ in range(count):
            self._add()

    @property
    def free(self) -> int:
        """How many claims could be driven besides those in hand."""
        with self._lock:
            return self._count - len(self._in_hand)

    @property
    def is_half_free(self) -> bool:
        """Whether at least every other thread has nothing in hand."""
        return self.free * 2 >= self._count

    @property
    def in_hand(self) -> list[int]:
        """Primary keys of the instances that are being driven, or are about to be."""
        with self._lock:
            return list(self._in_hand)

    @property
    def has_suspect(self) -> bool:
        """Whether one of them may be what kills processes."""
        with self._lock:
            return bool(self._suspects)

    def hand(self, claim: Claim) -> None:
        """Give a claim to the next free thread."""
        with self._lock:
            self._in_hand[claim.instance] = claim
            if claim.is_suspect:
                self._suspects.add(claim.instance)
        self._handed.put(claim)

    def next_claim(self) -> Claim | None:
        """Wait for a claim; None ends the thread."""
        return self._handed.get()

    def put_down(self, claim: Claim) -> None:
        """Nobody drives this claim any more; a second call changes nothing."""
        with self._lock:
            if self._in_hand.get(claim.instance) is claim:
                del self._in_hand[claim.instance]
                self._suspects.discard(claim.instance)
        self.freed.set()

    def clear_suspect(self, claim: Claim) -> None:
        """It has finished a step: another suspect may be claimed."""
        if claim.is_suspect:
            with self._lock:
                self._suspects.discard(claim.instance)
            self.freed.set()

    def end_overdue(self) -> None:
        """Fail the attempts past their deadline; their threads are abandoned and replaced."""
        for thread, attempt in self.running.take_overdue():
            if fail_overdue(attempt, self.checkpoints):
                self._abandon(thread)

    def interrupt(self) -> None:
        """Release what still runs, so that it goes on elsewhere at once."""
        for _, attempt in self.running.take_all():
            self.checkpoints.release_quietly(
                attempt.claim,
                entry=attempt.entry,
                policy=attempt.policy,
                why="the worker was stopped",
            )

    def end(self, seconds: float) -> None:
        """Tell idle threads to end, and wait a moment for each."""
        for _ in self._threads:
            self._handed.put(None)
        for driver in self._threads.values():
            driver.join(seconds)

    def _add(self) -> None:
        driver = Driver(self)
        driver.start()
        self._threads[driver.ident or 0] = driver

    def _abandon(self, thread: int) -> None:
        driver = self._threads.pop(thread, None)
        if driver is None or driver.claim is None:
            return
        driver.is_abandoned = True
        self.checkpoints.counts["abandoned"] += 1
        self.put_down(driver.claim)
        self._add()
        driver.cancel_statement()
        abandoned = [t for t in threading.enumerate() if getattr(t, "is_abandoned", False)]
        if len(abandoned) > ABANDONED_MAX:
            logger.critical("%s threads never returned; this process ends", len(abandoned))
            self.interrupt()
            os._exit(1)  # what it still owns is taken over at once: the process is gone


class Driver(threading.Thread):
    """A daemon thread that drives one claim after another, so it never keeps a process alive."""

    def __init__(self, drivers: Drivers) -> None:
        super().__init__(name="driver", daemon=True)
        self._drivers = drivers
        self.claim: Claim | None = None
        self.is_abandoned = False
        self._database: Any = None

    def run(self) -> None:
        """Drive until told to end, or abandoned."""
        self._database = connections["default"]
        while not self.is_abandoned:
            claim = self._drivers.next_claim()
            if claim is None:
                break
            self.claim = claim
            try:
                drive(claim, self._drivers.checkpoints, self)
            except Exception:
                # Owned and in nobody's hand: the drain gives it back at its next look.
                logger.exception("%s: its driver could not give it back", claim.instance_id)
            finally:
                self._drivers.put_down(claim)
        connections.close_all()

    def begins(self, claim: Claim, entry: str, policy: RetryPolicy) -> None:
        """Note the attempt, for the watchdog."""
        if not self.is_abandoned:
            overdue_at = time.monotonic() + policy.timeout.total_seconds()
            attempt = RunningAttempt(claim, entry, policy, overdue_at)
            self._drivers.running.begin(self.ident or 0, attempt)

    def ends(self) -> None:
        """The attempt is over."""
        self._drivers.running.end(self.ident or 0)

    def finished_a_step(self) -> None:
        """What was a suspect is one no more."""
        if self.claim is not None:
            self._drivers.clear_suspect(self.claim)

    def is_stopping(self) -> bool:
        """Whether to release the instance rather than begin another step."""
        return self.is_abandoned or self._drivers.is_stopping()

    def cancel_statement(self) -> None:
        """Cancel what the abandoned thread is running in the database, so that it returns."""
        raw = getattr(self._database, "connection", None)
        if raw is None:
            return
        try:
            raw.cancel_safe(timeout=1.0)
        except psycopg.Error as error:
            logger.info("the statement of an abandoned thread was not cancelled: %s", error)
