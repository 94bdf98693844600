"""Fault points: where a test stops a process, cuts its connection, or raises.

A point is a statement, by its name, or an entry of a graph, as `entries.<name>`: before its step is
called or its wait looked at, and after its step has returned, with nothing recorded yet.

Nothing in production arms one; an unarmed point is one comparison.
"""

from collections.abc import Callable
from typing import Literal

Moment = Literal["before", "uncommitted", "after"]
Fault = Callable[[str, Moment], None]

_fault: Fault | None = None


def arm(fault: Fault | None) -> None:
    """Call `fault(point, moment)` at every point from now on; None disarms."""
    global _fault
    _fault = fault


def reach(point: str, moment: Moment) -> None:
    """Say that a statement or an entry is about to begin, has not committed yet, or is over."""
    if _fault is not None:
        _fault(point, moment)
