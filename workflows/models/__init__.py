"""The rows of the engine, by what they are about."""

from workflows.models.history import Attempt, Event, LogEntry, Outcome, StepRecord
from workflows.models.instances import (
    Envelope,
    Instance,
    Rank,
    Reason,
    Status,
    StepGraph,
    Trigger,
)
from workflows.models.orders import BulkOperation, Schedule
from workflows.models.workers import Drain, DrainCall, Limit, Tally

__all__ = [
    "Attempt",
    "BulkOperation",
    "Drain",
    "DrainCall",
    "Envelope",
    "Event",
    "Instance",
    "Limit",
    "LogEntry",
    "Outcome",
    "Rank",
    "Reason",
    "Schedule",
    "Status",
    "StepGraph",
    "StepRecord",
    "Tally",
    "Trigger",
]
