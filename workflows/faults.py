"""Fault points: where a test stops a process, cuts its connection, or raises.

Nothing in production arms one; an unarmed point is one comparison.
"""

from collections.abc import Callable
from typing import Literal

Moment = Literal["before", "uncommitted", "after"]
Fault = Callable[[str, Moment], None]

_fault: Fault | None = None


def arm(fault: Fault | None) -> None:
    """Call `fault(statement, moment)` at every point from now on; None disarms."""
    global _fault
    _fault = fault


def reach(statement: str, moment: Moment) -> None:
    """Say that a statement is about to be sent, has not committed yet, or has committed."""
    if _fault is not None:
        _fault(statement, moment)
