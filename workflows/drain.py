"""A drain: one standing worker slot that claims and drives many due instances in threads.

It stands by when nothing is due and looks again every 0.2 s, so that timers and new instances
are picked up by looking, not by being told. Its beat is the lease of everything that it drives.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

import psycopg
from django.conf import settings
from django.db import connections

from workflows.checkpoints import Checkpoints
from workflows.claims import Claim, claim_due, take_over_lapsed
from workflows.connection import EngineConnection
from workflows.errors import LostClaimError
from workflows.models import Reason
from workflows.processes import Process
from workflows.registry import code_version
from workflows.runner import drive
from workflows.statements import drains as statements
from workflows.watchdog import RunningAttempt, RunningAttempts, fail_overdue

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
ABANDONED_MAX = 8  # threads that never returned; a process with more of them ends itself
BEATS_A_LEASE = 3


class Flag(Protocol):
    """Something that says whether a stop was asked for."""

    def is_set(self) -> bool:
        """Whether it was."""


class Drain:
    """A worker slot at work; `run` returns when it is told to stop or its budget is over."""

    def __init__(self, stopping: Flag, *, cluster: str = "") -> None:
        self._stopping = stopping
        self._leaving = False
        self._cluster = cluster
        self._lease = timedelta(seconds=settings.WORKFLOWS_LEASE_SECONDS)
        self._threads = settings.WORKFLOWS_THREADS
        self._claimer = EngineConnection("presswork claimer")
        self._writer = EngineConnection("presswork checkpoints")
        self._checkpoints = Checkpoints(self._writer)
        self._running = RunningAttempts()
        self._handed: queue.SimpleQueue[Claim | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._drivers: dict[int, Driver] = {}
        self._busy = 0
        self._suspects = 0
        self._freed = threading.Event()
        self._beaten_at = 0.0
        self._swept_at = 0.0
        self.id = 0

    def run(self, budget: timedelta) -> None:
        """Claim and drive until the budget is over or a stop was asked for."""
        until = time.monotonic() + budget.total_seconds()
        self._enter()
        try:
            for _ in range(self._threads):
                self._add_driver()
            while time.monotonic() < until and not self._stopping.is_set():
                self._survive_lost_connections(self._work_once)
                self._freed.wait(LOOK_SECONDS)
                self._freed.clear()
            self._leave()
        finally:
            self._end()

    def _work_once(self) -> None:
        self._beat()
        self._end_overdue()
        self._sweep()
        while self._claim():
            self._beat()

    def _claim_once(self) -> None:
        self._claim()

    def _claim(self) -> bool:
        """Claim for the free threads; return whether there may be more for others still free."""
        free: int = self._threads - self._busy
        if free < 1 or self._stopping.is_set():
            return False
        claims = claim_due(
            self._claimer, drain=self.id, slots=free, with_suspect=self._suspects == 0
        )
        for claim in claims:
            with self._lock:
                self._busy += 1
                self._suspects += claim.is_suspect
            self._handed.put(claim)
        return len(claims) == free

    def _beat(self, *, leaving: bool = False) -> None:
        now = time.monotonic()
        if not leaving and now - self._beaten_at < self._lease.total_seconds() / BEATS_A_LEASE:
            return
        parameters = {
            "drain": self.id,
            "lease": self._lease,
            "leaving": leaving or self._leaving,
        }
        if self._claimer.fetch(statements.BEAT, parameters):
            self._beaten_at = now
            return
        logger.error("drain %s lost its lease; it abandons its instances and begins anew", self.id)
        self._running.take_all()
        self._enter()

    def _end_overdue(self) -> None:
        for thread, attempt in self._running.take_overdue():
            fail_overdue(attempt, self._checkpoints)
            self._abandon(thread)

    def _sweep(self) -> None:
        now = time.monotonic()
        if now - self._swept_at < 1.0:
            return
        self._swept_at = now
        taken = take_over_lapsed(self._claimer)
        if taken:
            logger.warning("took over %s instances of drains that are gone", taken)

    def _survive_lost_connections(self, work: Callable[[], None]) -> None:
        try:
            work()
        except psycopg.OperationalError as error:
            logger.warning("drain %s lost its connection: %s", self.id, error)
            self._claimer.reconnect(until=self._stopping.is_set)

    def _leave(self) -> None:
        """Say so first, then look once more: whoever commits second sees the other."""
        self._survive_lost_connections(lambda: self._beat(leaving=True))
        if not self._stopping.is_set():
            self._survive_lost_connections(self._claim_once)
        self._leaving = True
        grace = time.monotonic() + settings.WORKFLOWS_GRACE_SECONDS
        while self._busy and (time.monotonic() < grace or not self._stopping.is_set()):
            self._survive_lost_connections(self._beat)
            self._end_overdue()
            self._freed.wait(LOOK_SECONDS)
            self._freed.clear()
        for _, attempt in self._running.take_all():
            self._interrupt(attempt)

    def _interrupt(self, attempt: RunningAttempt) -> None:
        try:
            self._checkpoints.release(
                attempt.claim,
                entry=attempt.entry,
                error={"type": "Interrupted", "message": "the worker was stopped"},
                reason=Reason.RETRY,
                delay=timedelta(0),
            )
        except LostClaimError:
            logger.info("%s ended just in time", attempt.claim.instance_id)

    def _enter(self) -> None:
        me = Process.current()
        rows = self._claimer.fetch(
            statements.ENTER,
            {
                "cluster": self._cluster,
                "host": me.host,
                "pid": me.pid,
                "process_started": me.started,
                "code_version": code_version(),
                "threads": self._threads,
                "lease": self._lease,
            },
        )
        self.id = rows[0][0]
        self._beaten_at = time.monotonic()

    def _end(self) -> None:
        for _ in self._drivers:
            self._handed.put(None)
        try:
            self._claimer.fetch(statements.END, {"drains": [self.id]})
        except psycopg.OperationalError as error:
            logger.warning("drain %s could not say that it ended: %s", self.id, error)
        self._claimer.close()
        for driver in self._drivers.values():
            driver.join(LOOK_SECONDS)
        self._writer.close()

    def _add_driver(self) -> None:
        driver = Driver(self)
        driver.start()
        self._drivers[driver.ident or 0] = driver

    def _abandon(self, thread: int) -> None:
        """Replace a driver whose attempt was ended; it may return late, or never."""
        driver = self._drivers.pop(thread, None)
        if driver is None:
            return
        driver.is_abandoned = True
        driver.cancel_statement()
        self.release_slot(driver)
        self._add_driver()
        abandoned = [t for t in threading.enumerate() if getattr(t, "is_abandoned", False)]
        if len(abandoned) > ABANDONED_MAX:
            logger.critical("%s threads never returned; this process ends", len(abandoned))
            for _, attempt in self._running.take_all():
                self._interrupt(attempt)
            self._end()
            os._exit(1)

    def release_slot(self, driver: "Driver") -> None:
        """A driver has nothing in hand any more."""
        with self._lock:
            self._busy -= 1
            self._suspects -= driver.has_suspect
            driver.has_suspect = False
        self._freed.set()

    def clear_suspect(self, driver: "Driver") -> None:
        """A suspect has finished a step: another may be claimed."""
        if driver.has_suspect:
            with self._lock:
                self._suspects -= 1
                driver.has_suspect = False
            self._freed.set()

    def next_claim(self) -> Claim | None:
        """Wait for the next claim; None ends the driver."""
        return self._handed.get()

    @property
    def checkpoints(self) -> Checkpoints:
        """The process's writer."""
        return self._checkpoints

    @property
    def running(self) -> RunningAttempts:
        """The attempts in flight."""
        return self._running

    def is_stopping(self) -> bool:
        """Whether drivers shall release instead of beginning another step."""
        return self._leaving or self._stopping.is_set()

    def disown(self, claim: Claim) -> None:
        """Give back a claim whose driver failed in a way that no step explains."""
        self._checkpoints.disown(claim)


class Driver(threading.Thread):
    """A daemon thread that drives one claim after another, so it never keeps a process alive."""

    def __init__(self, drain: Drain) -> None:
        super().__init__(name=f"drain-{drain.id}-driver", daemon=True)
        self._drain = drain
        self.has_suspect = False
        self.is_abandoned = False
        self._database: Any = None

    def run(self) -> None:
        """Drive until told to end, or abandoned."""
        self._database = connections["default"]
        while not self.is_abandoned:
            claim = self._drain.next_claim()
            if claim is None:
                break
            self.has_suspect = claim.is_suspect
            try:
                drive(claim, self._drain.checkpoints, self)
            except Exception:
                logger.exception("%s: its driver failed", claim.instance_id)
                self._drain.disown(claim)
            finally:
                if not self.is_abandoned:
                    self._drain.release_slot(self)
        connections.close_all()

    def begins(self, claim: Claim, entry: str, deadline: datetime) -> None:
        """Note the attempt, for the watchdog."""
        self._drain.running.begin(self.ident or 0, RunningAttempt(claim, entry, deadline))

    def ends(self) -> None:
        """The attempt is over."""
        if not self.is_abandoned:
            self._drain.running.end(self.ident or 0)

    def finished_a_step(self) -> None:
        """What was a suspect is one no more."""
        self._drain.clear_suspect(self)

    def is_stopping(self) -> bool:
        """Whether to release the instance rather than begin another step."""
        return self.is_abandoned or self._drain.is_stopping()

    def cancel_statement(self) -> None:
        """Cancel what the abandoned thread is running in the database, so that it returns."""
        raw = getattr(self._database, "connection", None)
        if raw is not None:
            raw.cancel_safe(timeout=1.0)
