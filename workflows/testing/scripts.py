"""What is to happen to one instance, and its turn: errors, timeouts, crashes, events."""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from workflows.events import send_event
from workflows.faults import Moment
from workflows.graphs import Plan, StepEntry, WaitEntry
from workflows.models import Instance, Reason, Status


@dataclass(frozen=True)
class Timeout:
    """The step does all that it does, but too late: its try has timed out, its write is refused."""


@dataclass(frozen=True)
class Crash:
    """The process dies here, as under SIGKILL, and another worker takes over.

    Attributes:
        at: name of a statement, such as `checkpoints.advance`; empty for the step itself.
        moment: `before` or `after` it, or `uncommitted` inside of its transaction. After the step
            itself its effects are done and nothing is recorded.
    """

    at: str = ""
    moment: Moment = "after"


@dataclass(frozen=True)
class Sent:
    """An event, sent when a `wait` for its type is reached."""

    type: str
    payload: Any = None


Forced = Exception | Timeout | Crash


class KilledError(BaseException):
    """Ends a drive as SIGKILL does: nothing catches it, and nothing more is written."""


class Script:
    """What is still to happen to the instance, and when it goes on."""

    def __init__(
        self,
        plan: Plan,
        forced: Mapping[str, Sequence[Forced]],
        events: Sequence[Sent],
        *,
        skips: bool,
    ) -> None:
        for entry, faked in forced.items():
            is_step = isinstance(plan.entries[plan.position_of(entry)], StepEntry)
            if not is_step and not all(isinstance(each, Crash) for each in faked):
                raise ValueError(f"{entry} is no step: nothing but a Crash can be forced on it")
        self._plan = plan
        self._forced = {entry: deque(faked) for entry, faked in forced.items()}
        self._events = list(events)
        self._skips = skips
        self._thread = threading.get_ident()
        self._entry = ""
        self._time_out: Callable[[], object] = int

    def attend(self, time_out: Callable[[], object]) -> None:
        """Take from a worker the function that fails its present attempt as overdue."""
        self._time_out = time_out

    def reach(self, point: str, moment: Moment) -> None:
        """Let happen what is to happen at a fault point; other threads are left alone."""
        if threading.get_ident() != self._thread:
            return
        if point.startswith("entries."):
            self._entry = point.removeprefix("entries.")
        waiting = self._forced.get(self._entry)
        if not waiting or (point, moment) != _place_of(waiting[0], self._entry):
            return
        forced = waiting.popleft()
        if isinstance(forced, Crash):
            raise KilledError
        if isinstance(forced, Exception):
            raise forced
        self._time_out()

    def goes_on(self, instance: Instance) -> bool:
        """Whether a worker has something to do; a wait that can be ended is ended."""
        if instance.status not in (Status.QUEUED, Status.RUNNING, Status.WAITING):
            return False
        entry = self._plan.entries[instance.position]
        self._entry = entry.name
        if instance.status != Status.WAITING or self._send_event(instance, entry):
            return True
        if instance.due_at is None:
            return False
        return instance.due_at <= timezone.now() or (self._skips and _end_wait(instance))

    def check_all_had_their_turn(self) -> None:
        """Refuse a test that forces what never happens."""
        left = {entry: list(waiting) for entry, waiting in self._forced.items() if waiting}
        if left or self._events:
            raise AssertionError(f"these never had their turn: {[*left.items(), *self._events]}")

    def _send_event(self, instance: Instance, entry: object) -> bool:
        if instance.reason != Reason.EVENT or not isinstance(entry, WaitEntry):
            return False
        fitting = next((event for event in self._events if event.type == entry.type), None)
        if fitting is None:
            return False
        self._events.remove(fitting)
        send_event(str(instance.instance_id), fitting.type, fitting.payload, sender="test")
        return True


def _place_of(forced: Forced, entry: str) -> tuple[str, Moment]:
    """Return the fault point and the moment of something that is forced on an entry."""
    if isinstance(forced, Crash):
        return forced.at or f"entries.{entry}", forced.moment
    return f"entries.{entry}", "before" if isinstance(forced, Exception) else "after"


def _end_wait(instance: Instance) -> bool:
    """Move what the instance waits for to now, on the database's clock."""
    moved: dict[str, Any] = {"due_at": Now(), "wake_at": Now()}
    if instance.deadline_at is not None:
        moved["deadline_at"] = Now()
    return bool(Instance.objects.filter(pk=instance.pk, fence=instance.fence).update(**moved))
