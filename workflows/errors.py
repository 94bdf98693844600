"""Every error of the engine: one class for each thing that somebody may want to catch."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any


class WorkflowError(Exception):
    """The base of everything that the engine raises."""


class RetryableError(WorkflowError):
    """May pass by itself; raised by a step to be tried again after its policy's delay.

    Args:
        message: what happened, for operators.
        delay: the wait that the other side asked for (Retry-After); replaces the policy's.
    """

    def __init__(self, message: str, *, delay: timedelta | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class NonRetryableError(WorkflowError):
    """Wrong for good; the instance ends `errored` at once and shows message and data.

    Args:
        message: what is wrong and what to do, for operators.
        data: JSON that helps to see why.
    """

    def __init__(self, message: str, *, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.data = dict(data or {})


class Park(WorkflowError):  # noqa: N818 - no failure: a step asks to be put aside
    """Put the instance aside without holding a worker; no attempt is counted.

    Args:
        reason: a word of `workflows.models.Reason`.
        message: why, for operators.
        until: when to try again, with its zone; None waits for whoever makes room, or a person.
        data: JSON that helps to see why.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        until: datetime | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        if until is not None and until.tzinfo is None:
            raise NonRetryableError(
                f"Park was given {until.isoformat()}, a moment without its zone: take an aware "
                "one, such as datetime.now(UTC) + timedelta(minutes=5)"
            )
        self.reason = reason
        self.until = until
        self.data = dict(data or {})


class DuplicateInstanceError(WorkflowError):
    """An instance with this ID exists; it was left untouched."""

    def __init__(self, instance_id: str) -> None:
        super().__init__(f"{instance_id} exists already: an ID is used once, for ever")
        self.instance_id = instance_id


class CreateBusyError(WorkflowError):
    """Another transaction has held this ID's row for 2 s; nothing was created, send it again."""

    def __init__(self, instance_id: str) -> None:
        super().__init__(f"{instance_id} is being created by another request; send it again")
        self.instance_id = instance_id


class UnknownInstanceError(WorkflowError):
    """No instance has this ID."""

    def __init__(self, instance_id: str) -> None:
        super().__init__(f"no instance has the ID {instance_id}")
        self.instance_id = instance_id


class VerbRefusedError(WorkflowError):
    """A verb does not apply to the state that the instance is in; nothing changed."""


class WaitTimedOutError(WorkflowError):
    """A `wait` entry's event did not come before its timeout."""

    def __init__(self, entry: str, type: str) -> None:  # noqa: A002 - the field's word
        super().__init__(f"{entry}: no event {type} came in time; retry waits for it again")
        self.entry = entry


class OrderError(WorkflowError):
    """What was ordered cannot be an instance: its key, partition or trigger is not allowed."""


class PayloadError(WorkflowError):
    """A payload cannot be stored: it is no JSON object, too large, or holds NUL or NaN."""


class FilterError(WorkflowError):
    """A filter asks for what cannot be: an unknown word, or a moment without its zone."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class ScheduleError(WorkflowError):
    """A schedule cannot be kept: its name, times, workflow or graph does not fit."""


class EventError(WorkflowError):
    """An event's type or payload cannot be stored; nothing was sent."""


class EngineStoppedError(WorkflowError):
    """This worker's engine has ended; what a late thread still wants to write is not written."""


class LostClaimError(WorkflowError):
    """The write carried an old fence: another drain or an operator has the instance now."""


class ContractError(WorkflowError):
    """A step's registration, a graph or recorded data does not fit a contract.

    Attributes:
        path: JSON path of the place that does not fit, such as `entries[3].options.passes`.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


class UnknownStepError(ContractError):
    """A graph names a step that this code does not have."""


class OutputError(WorkflowError):
    """A step returned something that cannot be recorded: wrong type, too large, NUL or NaN."""


def plain(text: str) -> str:
    """Return the text without NUL and lone surrogates, which no database or log has a place for."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
