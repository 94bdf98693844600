"""What a bench has measured, on what, and whether its work was done as counted."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from statistics import median
from typing import Any

from django.db import connection


class Size(Enum):
    """How much is measured: `QUICK` shows that a bench works, and its figures mean nothing."""

    FULL = "full"
    QUICK = "quick"


class BenchError(Exception):
    """A bench could not run, or its work was not done as counted; its figures mean nothing."""


@dataclass(frozen=True)
class Figure:
    """One thing measured, in each of several rounds.

    Attributes:
        is_yardstick: it tells of the machine, not of the product.
        most: the mark, which the median shall not exceed; None without one.
        least: the mark, which the median shall reach; None without one.
    """

    name: str
    unit: str
    rounds: Sequence[float]
    is_yardstick: bool = False
    most: float | None = None
    least: float | None = None

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)

    @property
    def remark(self) -> str:
        """How the median stands to its mark, or that it is a yardstick."""
        if self.most is not None:
            return f"{'within' if self.value <= self.most else 'misses'} {self.most:g}"
        if self.least is not None:
            return f"{'reaches' if self.value >= self.least else 'misses'} {self.least:g}"
        return "yardstick" if self.is_yardstick else ""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON, with every round."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": round(self.value, 3),
            "rounds": [round(each, 3) for each in self.rounds],
            "is_yardstick": self.is_yardstick,
            "most": self.most,
            "least": self.least,
        }


@dataclass(frozen=True)
class Report:
    """The figures of a run.

    Attributes:
        counted: what was done, as the bench counted and the database confirmed.
    """

    bench: str
    size: Size
    figures: Sequence[Figure]
    counted: Mapping[str, int]
    machine: Mapping[str, Any] = field(default_factory=lambda: describe_machine())
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {
            "bench": self.bench,
            "size": self.size.value,
            "at": self.at.isoformat(timespec="seconds"),
            "machine": dict(self.machine),
            "figures": [figure.as_json() for figure in self.figures],
            "counted": dict(self.counted),
        }


def describe_machine() -> dict[str, Any]:
    """Return what figures depend on: cores, processor, and the versions of what runs."""
    with connection.cursor() as cursor:
        cursor.execute("show server_version")
        postgres = cursor.fetchone()[0]
    return {
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "processor": platform.machine(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "postgres": postgres,
    }
