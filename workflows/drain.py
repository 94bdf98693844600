"""A drain: one standing worker slot that claims and drives many due instances in threads.

It stands by when nothing is due and looks again every 0.2 s, so that timers and new instances
are picked up by looking, not by being told. Its beat is the lease of everything that it drives.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import psycopg
from django.conf import settings
from psycopg.types.json import Jsonb

from workflows.checkpoints import Checkpoints
from workflows.claims import claim_due, give_back_unheld, take_over_lapsed
from workflows.connection import EngineConnection
from workflows.drivers import Drivers
from workflows.flusher import Flusher
from workflows.processes import Process
from workflows.registry import code_version
from workflows.statements import drains as statements

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
GATHER_SECONDS = 0.005  # a claim costs as much for one instance as for ten
SWEEP_SECONDS = 1.0  # between two looks for what lapsed drains, or lost claims, still own
BEATS_A_LEASE = 3
LONGEST_STEP_SECONDS = 600.0  # the default timeout of an attempt


class Flag(Protocol):
    """Something that says whether a stop was asked for."""

    def is_set(self) -> bool:
        """Whether it was."""


class Drain:
    """A worker slot at work; `run` returns when it is told to stop or its budget is over."""

    def __init__(self, stopping: Flag, *, cluster: str = "") -> None:
        self.id = 0
        self._stopping = stopping
        self._leaving = False
        self._cluster = cluster
        self._lease = timedelta(seconds=settings.WORKFLOWS_LEASE_SECONDS)
        self._claimer = EngineConnection("presswork claimer")
        self._checkpoints = Checkpoints(
            EngineConnection("presswork checkpoints"),
            Flusher(EngineConnection("presswork flusher"))
            if settings.WORKFLOWS_GROUP_COMMIT
            else None,
        )
        self._beaten_at = 0.0
        self._swept_at = 0.0
        self._has_woken_for_code = False

    def run(self, budget: timedelta) -> None:
        """Claim and drive until the budget is over or a stop was asked for."""
        until = time.monotonic() + budget.total_seconds()
        while not self.id and not self._stopping.is_set():
            self._surviving(self._enter)
        if not self.id:
            return  # stopped before there was a database to enter
        self._drivers = Drivers(
            settings.WORKFLOWS_THREADS,
            checkpoints=self._checkpoints,
            is_stopping=self._is_stopping,
        )
        try:
            while time.monotonic() < until and not self._stopping.is_set():
                self._surviving(self._work_once)
                self._stand_by()
            self._leave()
        finally:
            self._end()

    def _work_once(self) -> None:
        self._beat()
        self._wake_for_code()
        self._drivers.end_overdue()
        self._sweep()
        self._claim()

    def _stand_by(self) -> None:
        """Wait for a free thread; a busy drain for more of them, so that it claims for several."""
        if self._drivers.freed.wait(LOOK_SECONDS) and not self._drivers.is_half_free:
            time.sleep(GATHER_SECONDS)
        self._drivers.freed.clear()

    def _claim(self) -> None:
        """Claim for the free threads."""
        if self._stopping.is_set():
            return
        drivers = self._drivers
        for claim in claim_due(
            self._claimer,
            drain=self.id,
            slots=drivers.free,
            with_suspect=not drivers.has_suspect,
        ):
            drivers.hand(claim)

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._beaten_at < self._lease.total_seconds() / BEATS_A_LEASE:
            return
        parameters = {
            "drain": self.id,
            "lease": self._lease,
            "leaving": self._leaving,
            "counts": Jsonb(dict(self._checkpoints.counts)),
        }
        if self._claimer.fetch(statements.BEAT, parameters):
            self._beaten_at = now
            return
        # Whatever it drives may be others' by now; their fences refuse what its threads write.
        logger.error("drain %s lost its lease and begins anew", self.id)
        self._claimer.fetch(statements.COUNT_UP, {"name": "leases_lost"})
        self._claimer.fetch(statements.END, {"drains": [self.id]})
        self._checkpoints.counts.clear()  # the lapsed row keeps what it had counted
        self._enter()

    def _wake_for_code(self) -> None:
        """Once: what older code could not run may be what this code can."""
        if not self._has_woken_for_code:
            self._claimer.fetch(statements.WAKE_FOR_CODE, {})
            self._has_woken_for_code = True

    def _sweep(self) -> None:
        now = time.monotonic()
        if now - self._swept_at < SWEEP_SECONDS:
            return
        self._swept_at = now
        give_back_unheld(self._claimer, drain=self.id, held=self._drivers.in_hand)
        taken = take_over_lapsed(self._claimer)
        if taken:
            logger.warning("took over %s instances of drains that are gone", taken)

    def _surviving(self, work: Callable[[], None]) -> None:
        """Do the work; if the connection is lost, wait until there is one again."""
        try:
            work()
        except psycopg.OperationalError as error:
            logger.warning("drain %s lost its connection: %s", self.id, error)
            self._claimer.reconnect(until=self._stopping.is_set)
            self._swept_at = 0.0

    def _leave(self) -> None:
        """Say so first, then look once more: whoever commits second sees the other."""
        self._leaving = True
        self._beaten_at = 0.0
        self._surviving(self._beat)
        self._surviving(self._claim)
        limit = time.monotonic() + self._patience()
        while self._drivers.in_hand and time.monotonic() < limit:
            self._surviving(self._beat)
            self._drivers.end_overdue()
            self._stand_by()
        self._drivers.interrupt()
        self._beaten_at = 0.0
        self._surviving(self._beat)  # with the last counts

    def _patience(self) -> float:
        """Seconds that running steps are given: the grace, or their time if nobody is waiting."""
        if self._stopping.is_set():
            return float(settings.WORKFLOWS_GRACE_SECONDS)
        return LONGEST_STEP_SECONDS

    def _is_stopping(self) -> bool:
        return self._leaving or self._stopping.is_set()

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
                "threads": settings.WORKFLOWS_THREADS,
                "lease": self._lease,
            },
        )
        self.id = rows[0][0]
        self._beaten_at = time.monotonic()
        self._has_woken_for_code = False

    def _end(self) -> None:
        try:
            self._claimer.fetch(statements.END, {"drains": [self.id]})
        except psycopg.OperationalError as error:
            logger.warning("drain %s could not say that it ended: %s", self.id, error)
        self._drivers.end(LOOK_SECONDS)
        self._claimer.close()
        self._checkpoints.close()
