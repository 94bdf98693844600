"""Small things that must be done every so often, by whichever host has workers.

qcluster's own process does them: a django-q2 schedule would need a worker that stands idle.
Every host does them, so a chore is safe to run concurrently with itself.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

logger = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[[], object])


@dataclass
class Chore:
    """A function with its interval; `done_at` is this process's monotonic clock."""

    function: Callable[[], object]
    interval: timedelta
    done_at: float = float("-inf")


_chores: list[Chore] = []


def every(interval: timedelta) -> Callable[[Function], Function]:
    """Have the decorated function run about once an interval while workers run."""

    def register(function: Function) -> Function:
        _chores.append(Chore(function, interval))
        return function

    return register


def run_due_chores() -> None:
    """Run what is due; a chore that fails is logged and tried again at its next time."""
    now = time.monotonic()
    for chore in _chores:
        if now - chore.done_at < chore.interval.total_seconds():
            continue
        chore.done_at = now
        try:
            chore.function()
        except Exception:
            logger.exception("the chore %s failed", chore.function.__qualname__)
