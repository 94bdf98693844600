"""The worker: django-q2's cluster, watched so that it always has a drain a worker.

django-q2's cluster stops for good when an idle worker is killed at the wrong moment (its issue
23), and it never notices a drain that is missing. This process sees both: it counts the drains
that beat, ends those whose process is gone, enqueues what is missing and replaces a cluster
that does not take them up.
"""

import logging
import os
import secrets
import signal
import time
from collections.abc import Iterable
from datetime import timedelta
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connections
from django_q.cluster import Cluster

from workflows.chores import every, run_due_chores
from workflows.processes import Process, descendants_of
from workflows.statements import execute
from workflows.statements.drains import BEATING, END, FORGET_OLD, LAPSED
from workflows.workers import CLUSTER_VARIABLE, BrokerAwayError, enqueue_drain, stopping

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
TOP_UP_SECONDS = 5.0  # between two top-ups, so that a started drain has time to beat
# Without the drains that were enqueued; django-q2 alone pauses 10 s after its broker was away.
WEDGED_SECONDS = 20.0
STOP_SECONDS = 15.0  # beyond the grace of running steps


class Command(BaseCommand):
    """Run the workers until SIGTERM or SIGINT."""

    help = "Runs the workers: django-q2's cluster with one standing drain for each worker."

    def handle(self, *args: Any, **options: Any) -> None:
        """Start a cluster and keep it whole."""
        os.environ[CLUSTER_VARIABLE] = secrets.token_hex(8)
        keeper = ClusterKeeper(os.environ[CLUSTER_VARIABLE])
        while not stopping.is_set():
            try:
                keeper.look()
                run_due_chores()
            except DatabaseError as error:
                logger.warning("the workers' keeper lost the database: %s", error)
                keeper.forgive()
            except BrokerAwayError as error:
                logger.warning("no drain was called for: %s", error)
                keeper.forgive()
            finally:
                connections.close_all()
            time.sleep(LOOK_SECONDS)
        keeper.stop()


class ClusterKeeper:
    """One django-q2 cluster, replaced when it dies or wedges."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._workers: int = settings.Q_CLUSTER["workers"]
        self._topped_up_at = 0.0
        self._whole_at = time.monotonic()
        self._cluster: Any = None  # until the broker has answered

    def _start(self) -> Cluster:
        """Fork a new cluster and enqueue a drain for each of its workers."""
        for _ in range(self._workers):
            enqueue_drain()
        connections.close_all()  # nothing of this process's is shared with the children
        cluster = Cluster()
        signal.signal(signal.SIGTERM, _stop)  # Cluster() has set handlers of its own
        signal.signal(signal.SIGINT, _stop)
        cluster.start()
        self._topped_up_at = self._whole_at = time.monotonic()
        return cluster

    def look(self) -> None:
        """Mend what is missing since the last look."""
        if self._cluster is None:
            self._cluster = self._start()
            return
        if not self._cluster.sentinel.is_alive():
            logger.error("the cluster's sentinel is gone; a new cluster is started")
            self._replace()
            return
        missing = self._workers - self._living_drains() - self._silent_drains()
        now = time.monotonic()
        if missing <= 0:
            self._whole_at = now
        elif now - self._whole_at > WEDGED_SECONDS:
            logger.error("the cluster does not take up its drains; it is replaced")
            self._replace()
        elif now - self._topped_up_at > TOP_UP_SECONDS:
            self._top_up(missing)

    def forgive(self) -> None:
        """Do not hold the time without a database against the cluster."""
        self._whole_at = time.monotonic()

    def stop(self) -> None:
        """Let the drains leave within their grace, then end what is left."""
        if self._cluster is None:
            return
        limit = time.monotonic() + settings.WORKFLOWS_GRACE_SECONDS + STOP_SECONDS
        sentinel = self._cluster.sentinel
        self._cluster.stop_event.set()
        while sentinel.is_alive() and time.monotonic() < limit:
            sentinel.join(LOOK_SECONDS)
        if sentinel.is_alive():
            self._kill()

    def _living_drains(self) -> int:
        """Count this cluster's beating drains; those whose process is gone are ended at once."""
        beating = execute(BEATING, {})
        gone = [row[0] for row in beating if Process(*row[2:]).is_gone()]
        if gone:
            execute(END, {"drains": gone})
        mine = [row for row in beating if row[1] == self._name]
        dead = [row for row in mine if row[0] in gone]
        if dead:
            logger.warning("%s workers died; their instances go on elsewhere", len(dead))
            self._top_up(len(dead))
        return len(mine) - len(dead)

    def _silent_drains(self) -> int:
        """Count this cluster's drains that live without a beat; those that hang are killed.

        Their instances went on elsewhere when the lease lapsed. A worker that hangs is busy, so
        killing it does not wedge the cluster, which starts another in its place.
        """
        lease = timedelta(seconds=settings.WORKFLOWS_LEASE_SECONDS)
        silent = 0
        for pk, cluster, host, pid, started, is_hung, anew in execute(LAPSED, {"lease": lease}):
            process = Process(host, pid, started)
            if cluster != self._name or not process.is_here():
                continue
            if anew:
                execute(END, {"drains": [pk]})
                continue
            if is_hung and not process.is_gone():
                logger.error("worker %s has not beaten for two leases; it is killed", pid)
                _kill_all([pid])
            if is_hung or process.is_gone():
                execute(END, {"drains": [pk]})
                self._top_up(1)
            else:
                silent += 1
        return silent

    def _top_up(self, missing: int) -> None:
        for _ in range(missing):
            enqueue_drain()
        self._topped_up_at = time.monotonic()

    def _replace(self) -> None:
        self._kill()
        self._cluster = None  # its pids are others' from now on
        self._living_drains()
        self._cluster = self._start()

    def _kill(self) -> None:
        """End the sentinel and everything under it; orphans are found by their drain's row."""
        sentinel = self._cluster.sentinel
        _kill_all([*descendants_of(sentinel.pid), sentinel.pid])
        sentinel.join()
        try:
            _kill_all(self._orphans())
        except DatabaseError as error:
            logger.warning("workers whose sentinel died may be left: %s", error)

    def _orphans(self) -> list[int]:
        """Return the pids of this host's workers that still hold a drain of this cluster."""
        rows = [row for row in execute(BEATING, {}) if row[1] == self._name]
        holders = [Process(*row[2:]) for row in rows]
        return [holder.pid for holder in holders if holder.is_here() and not holder.is_gone()]


@every(timedelta(hours=1))
def forget_old_drains() -> None:
    """Delete the rows of drains that ended a week ago."""
    execute(FORGET_OLD, {})


def _kill_all(pids: Iterable[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _stop(signum: int, frame: FrameType | None) -> None:
    stopping.set()
