"""Faults of a child process, as text: where it kills itself, loses a connection, or breaks.

`checkpoints.advance:after:3` sends SIGKILL to its own process when it gets there for the third
time; `checkpoints.advance:after:1:plain` only while its thread is at the entry `plain`. A fifth
part names another action than `kill`. Several, with `;` between, happen one after the other.
"""

import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

import psycopg

from workflows import faults
from workflows.faults import Moment


@dataclass(frozen=True)
class Armed:
    """One fault.

    Attributes:
        action: `kill`; `lose`: the answer of the statement never comes; `break`: a bug.
    """

    point: str
    moment: str
    times: int = 1
    entry: str = ""
    action: str = "kill"

    @classmethod
    def parse(cls, text: str) -> "Armed":
        """Read `point:moment[:times[:entry[:action]]]`."""
        point, moment, *more = text.split(":")
        times, entry, action = [*more, *("1", "", "kill")[len(more) :]]
        return cls(point, moment, int(times or 1), entry, action)


class Arming:
    """The faults of a process and its forks, one after the other.

    Args:
        faults: as text.
        once: a folder in which processes note which have happened; None where there is but one.
        workers_only: whether processes that hold no drain are left alone.
    """

    def __init__(self, faults: str, *, once: Path | None = None, workers_only: bool = True) -> None:
        self._armed = [Armed.parse(text) for text in faults.split(";") if text]
        self._once = once
        self._is_worker = not workers_only
        self._next = 0
        self._reached = 0
        self._lock = threading.Lock()
        self._thread = threading.local()

    def __call__(self, point: str, moment: Moment) -> None:
        """Do what is armed here."""
        if point == "drains.enter":
            self._is_worker = True
        if point.startswith("entries.") and moment == "before":
            self._thread.entry = point.removeprefix("entries.")
        with self._lock:
            action = self._due(point, moment) if self._is_worker else ""
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if action == "lose":
            raise psycopg.OperationalError("the answer is lost, as a test has ordered")
        if action == "break":
            raise ValueError("broken, as a test has ordered")

    def _due(self, point: str, moment: str) -> str:
        """Return the action that is due here, if one is."""
        while self._next < len(self._armed) and self._happened(self._next):
            self._next, self._reached = self._next + 1, 0
        if self._next == len(self._armed):
            return ""
        armed = self._armed[self._next]
        entry = getattr(self._thread, "entry", "")
        if (point, moment) != (armed.point, armed.moment) or armed.entry not in ("", entry):
            return ""
        self._reached += 1
        if self._reached < armed.times or not self._note(self._next):
            return ""
        self._next, self._reached = self._next + 1, 0
        return armed.action

    def _happened(self, number: int) -> bool:
        return self._once is not None and (self._once / str(number)).exists()

    def _note(self, number: int) -> bool:
        """Note that it happens; False if another process was first."""
        if self._once is None:
            return True
        try:
            (self._once / str(number)).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def arm_from_environment() -> None:
    """Arm what TRIAL_FAULT says, in the workers among this process and its forks, each once."""
    if text := os.environ.get("TRIAL_FAULT"):
        faults.arm(Arming(text, once=Path(os.environ["TRIAL_FAULT_ONCE"])))
