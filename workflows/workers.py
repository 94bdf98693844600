"""What the engine asks of django-q2: to run drains. Losing or doubling one changes nothing."""

import ctypes
import logging
import multiprocessing
import os
import signal
from datetime import timedelta
from typing import Any

import psycopg
from django.conf import settings
from django_q.tasks import async_task
from redis.exceptions import RedisError

from workflows.drain import Drain
from workflows.statements import execute
from workflows.statements.drains import BEATING, CALL

logger = logging.getLogger(__name__)

CLUSTER_VARIABLE = "WORKFLOWS_CLUSTER"  # set by qcluster, inherited by its workers


class BrokerAwayError(Exception):
    """The broker does not answer; whoever keeps workers asks again."""


class StopFlag:
    """A byte in memory that forked processes share; no lock, so a killed one leaves none held."""

    def __init__(self) -> None:
        self._byte = multiprocessing.RawValue(ctypes.c_byte, 0)

    def set(self) -> None:
        """Ask every process that inherited the flag to stop."""
        self._byte.value = 1

    def clear(self) -> None:
        """Take the request back."""
        self._byte.value = 0

    def is_set(self) -> bool:
        """Whether a stop was asked for."""
        return bool(self._byte.value)


class EitherFlag:
    """The cluster's flag, or this worker's own."""

    def __init__(self, *flags: StopFlag) -> None:
        self._flags = flags

    def is_set(self) -> bool:
        """Whether any of them asks to stop."""
        return any(flag.is_set() for flag in self._flags)


stopping = StopFlag()  # made at import, which is before qcluster forks


def drain() -> None:
    """Be a worker slot for an hour, then hand over to a successor; the django-q2 task."""
    if stopping.is_set() or _is_surplus():
        return
    mine = StopFlag()
    signal.signal(signal.SIGTERM, lambda signum, frame: mine.set())
    try:
        budget = timedelta(seconds=settings.WORKFLOWS_DRAIN_SECONDS)
        flag = EitherFlag(stopping, mine)
        Drain(flag, cluster=os.environ.get(CLUSTER_VARIABLE, "")).run(budget)
    except psycopg.OperationalError as error:
        logger.warning("a drain ended because the database is away: %s", error)
        return  # qcluster tops up when it is back
    if not flag.is_set():
        _enqueue_if_possible()


def enqueue_drain() -> None:
    """Ask django-q2 for one more drain.

    Raises:
        BrokerAwayError: Redis is the broker and does not answer.
    """
    try:
        async_task("workflows.workers.drain", task_name="drain")
    except RedisError as error:
        raise BrokerAwayError(f"the broker does not answer: {error}") from error


def call_for_drain() -> None:
    """Enqueue a drain where none stands and none was called for within the lease."""
    parameters: dict[str, Any] = {"lease": timedelta(seconds=settings.WORKFLOWS_LEASE_SECONDS)}
    if execute(CALL, parameters):
        _enqueue_if_possible()


def _enqueue_if_possible() -> None:
    """Ask, but fail nobody's work for a broker that is away: qcluster tops up when it is back."""
    try:
        enqueue_drain()
    except BrokerAwayError as error:
        logger.warning("no drain was called for: %s", error)


def _is_surplus() -> bool:
    """Whether this cluster has a beating drain for each of its workers already."""
    cluster = os.environ.get(CLUSTER_VARIABLE, "")
    mine = [row for row in execute(BEATING, {}) if row[1] == cluster]
    return bool(cluster) and len(mine) >= settings.Q_CLUSTER["workers"]
