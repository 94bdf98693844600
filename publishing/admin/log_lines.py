"""The event log of one instance in words, and the spans that it tells of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from publishing.admin.axis import Span
from workflows.models import LogEntry

_WORDS = {
    "created": "Created",
    "waiting": "Waits",
    "retry": "Retried",
    "pause": "Paused",
    "resume": "Resumed",
    "terminate": "Terminated",
    "restart": "Restarted",
    "replace-output": "Output replaced",
    "event": "Event sent",
    "errored": "Ended with an error",
    "complete": "Complete",
    "pruned": "Pruned: input, outputs, attempts and events are gone",
}
_ENDS = {"errored", "terminated", "terminate", "complete"}
_GOES_ON = {"retry", "restart"}


@dataclass(frozen=True)
class Line:
    """One line as people read it; `about` is what it was done to."""

    at: datetime
    words: str
    about: str
    actor: str
    why: str


def read_lines(log: Iterable[LogEntry]) -> list[Line]:
    """Return the log in words."""
    return [
        Line(
            at=line.at,
            words=_WORDS.get(line.kind, line.kind),
            about=_about(line),
            actor=line.actor,
            why=line.why,
        )
        for line in log
    ]


def ended_spans(log: Iterable[LogEntry]) -> Iterator[Span]:
    """Yield the spans between an end and the verb that set the instance going again."""
    ended_at: datetime | None = None
    for line in log:
        if line.kind in _ENDS:
            ended_at = line.at
        elif line.kind in _GOES_ON and ended_at is not None:
            yield ended_at, line.at
            ended_at = None


def paused_spans(log: Iterable[LogEntry], *, until: datetime) -> Iterator[Span]:
    """Yield the spans between a pause and what ended it; one that lasts ends now."""
    paused_at: datetime | None = None
    for line in log:
        if line.kind == "pause":
            paused_at = line.at
        elif paused_at is not None and line.kind in {"resume", "restart", *_ENDS}:
            yield paused_at, line.at
            paused_at = None
    if paused_at is not None and paused_at < until:
        yield paused_at, until


def _about(line: LogEntry) -> str:
    details = line.details or {}
    if line.kind == "restart":
        return f"from {details['from']}" if details.get("from") else "whole"
    known = details.get("entry") or details.get("type")
    if known:
        return str(known)
    return ", ".join(f"{name}: {value}" for name, value in details.items())
