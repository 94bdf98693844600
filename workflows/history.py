"""History: the event log by a cursor that skips nothing, and everything kept of one instance."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet

from workflows.errors import FilterError, UnknownInstanceError
from workflows.listing import PAGE_MAX, entry_name
from workflows.models import Envelope, Instance, LogEntry, Status, StepRecord
from workflows.statements import execute
from workflows.statements.history import HORIZON

HIDDEN = "[hidden]"  # in place of the output of a step that is registered as sensitive
PENDING = "pending"  # of an entry that was not reached
KINDS = ("step", "wait", "sleep", "until")

_BIGINT_MAX = 2**63 - 1
_CURSOR = re.compile(r"([0-9]{1,19})\.([0-9]{1,19})")
_RECORD = ("entry", "generation", "attempt", "started_at", "finished_at")
_ATTEMPT = ("generation", "number", "outcome", "error", "started_at", "finished_at")
_EVENT = ("type", "generation", "payload", "sender", "key", "sent_at", "taken_at")
_LOG = ("kind", "generation", "actor", "why", "details", "at")


@dataclass(frozen=True, order=True)
class Cursor:
    """A place in the event log; its text is opaque to whoever keeps it.

    Attributes:
        transaction: the writer's, of the last line that was read.
        id: of that line.
    """

    transaction: int
    id: int

    def __str__(self) -> str:
        return f"{self.transaction}.{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Return the cursor of a text that `str` made.

        Raises:
            FilterError: it is none.
        """
        found = _CURSOR.fullmatch(text)
        place = [int(number) for number in found.groups()] if found else []
        if not place or max(place) > _BIGINT_MAX:
            raise FilterError("after", f"{text!r} is no cursor; send what the page before it gave")
        return cls(*place)


BEGINNING = Cursor(0, 0)


@dataclass(frozen=True)
class LogPage:
    """Some lines of the event log, oldest first.

    Attributes:
        next: where to read on, now or later: there is no end of a log.
        has_more: whether lines are there already that this page has not.
    """

    entries: list[LogEntry]
    next: Cursor
    has_more: bool


def read_log(
    after: Cursor | None = None,
    limit: int = 100,
    kinds: Collection[str] = (),
    instance_id: str | None = None,
) -> LogPage:
    """Return the lines that follow the cursor; who reads on and on gets each exactly once.

    Serial ids commit out of order, so the order is that of the writers' transactions, and a line
    is shown once no older transaction is open. A transaction that writes, anywhere on the
    database server, and is left open holds readers back; it never lets them skip.

    Args:
        after: what the page before it gave; None for the beginning.
        limit: at most 1,000.
        kinds: such as `errored` or `retry`; empty for all.
        instance_id: of one instance only.

    Raises:
        UnknownInstanceError: no such instance.
    """
    after, limit = after or BEGINNING, _clamped(limit)
    horizon = _horizon()
    # The first condition alone bounds the index; a disjunction would scan it whole.
    following = _lines(horizon, kinds, instance_id).filter(transaction__gte=after.transaction)
    following = following.filter(Q(transaction__gt=after.transaction) | Q(id__gt=after.id))
    rows = list(following.order_by("transaction", "id")[: limit + 1])
    page = rows[:limit]
    if len(rows) > limit:
        return LogPage(page, _place(page[-1]), has_more=True)
    # Everything below the horizon was seen, also what the filter left out.
    return LogPage(page, max(after, Cursor(horizon, 0)), has_more=False)


def read_newest_log(
    limit: int = 100, kinds: Collection[str] = (), instance_id: str | None = None
) -> LogPage:
    """Return the last lines, oldest first, and the cursor at which what comes later is read.

    Args:
        limit, kinds, instance_id: as of `read_log`.

    Raises:
        UnknownInstanceError: no such instance.
    """
    horizon = _horizon()
    newest = _lines(horizon, kinds, instance_id).order_by("-transaction", "-id")
    return LogPage([*newest[: _clamped(limit)]][::-1], Cursor(horizon, 0), has_more=False)


def summarise(instance: Instance) -> dict[str, Any]:
    """Return an instance's row as JSON; reads its graph, which a list selects with it."""
    entries = instance.graph.entries
    has_entry = instance.position < len(entries)
    return {
        "instance_id": str(instance.instance_id),
        "workflow": instance.workflow,
        "key": instance.key,
        "partition": instance.partition,
        "trigger": instance.trigger,
        "status": Status(instance.status).label,
        "waiting_for": instance.reason,
        "entry": entry_name(entries[instance.position]) if has_entry else None,
        "generation": instance.generation,
        "attempt": instance.attempt,
        "failures": instance.failures,
        "crashes": instance.crashes,
        "error": instance.error,
        "created_at": as_text(instance.created_at),
        "started_at": as_text(instance.started_at),
        "finished_at": as_text(instance.finished_at),
        "due_at": as_text(instance.due_at),
        "pruned_at": as_text(instance.pruned_at),
    }


def describe(instance_id: str) -> dict[str, Any]:
    """Return everything that is kept of an instance as JSON; sensitive outputs are hidden.

    `entries` has one item for each entry of the graph, in order, also those not yet reached, with
    the output that counts and every attempt that ended without one; `superseded` has the outputs
    that a restart or a replacement put aside.

    Raises:
        UnknownInstanceError: no such instance.
    """
    instance = _find(instance_id)
    records = list(instance.records.order_by("id"))
    envelope = Envelope.objects.filter(pk=instance.pk).values_list("data", flat=True).first()
    return {
        **summarise(instance),
        "envelope": envelope,
        "entries": _entries(instance, records),
        "superseded": [_told(record) for record in records if record.superseded],
        "events": _rows(instance.events.order_by("id").values(*_EVENT)),
        "log": [tell(line) for line in instance.log.order_by("transaction", "id")],
    }


def tell(line: LogEntry) -> dict[str, Any]:
    """Return a line of the event log as JSON, without its instance."""
    return _row({name: getattr(line, name) for name in _LOG})


def as_text(moment: datetime | None) -> str | None:
    """Return a moment as JSON has it: ISO 8601, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def _horizon() -> int:
    return int(execute(HORIZON, {})[0][0])


def _lines(
    horizon: int, kinds: Collection[str], instance_id: str | None
) -> QuerySet[LogEntry, LogEntry]:
    lines = LogEntry.objects.select_related("instance").filter(transaction__lt=horizon)
    if kinds:
        lines = lines.filter(kind__in=kinds)
    if instance_id is not None:
        lines = lines.filter(instance=_find(instance_id).pk)
    return lines


def _find(instance_id: str) -> Instance:
    found = Instance.objects.select_related("graph").filter(
        instance_id=instance_id.replace("\x00", "")
    )
    if not found:
        raise UnknownInstanceError(instance_id)
    return found[0]


def _place(line: LogEntry) -> Cursor:
    return Cursor(line.transaction, line.pk)


def _clamped(limit: int) -> int:
    return max(1, min(limit, PAGE_MAX))


def _entries(instance: Instance, records: Iterable[StepRecord]) -> list[dict[str, Any]]:
    live = {record.entry: record for record in records if not record.superseded}
    attempts: dict[int, list[dict[str, Any]]] = {}
    for attempt in instance.attempts.order_by("id").values("position", *_ATTEMPT):
        attempts.setdefault(attempt.pop("position"), []).append(_row(attempt))
    described = []
    for position, entry in enumerate(instance.graph.entries):
        name = entry_name(entry)
        record = live.get(name)
        described.append(
            {
                "name": name,
                "kind": next(kind for kind in KINDS if kind in entry),
                "status": _status(instance, position, record),
                "attempt": record.attempt if record else None,
                "started_at": as_text(record.started_at if record else None),
                "finished_at": as_text(record.finished_at if record else None),
                "output": _shown(record) if record else None,
                "attempts": attempts.get(position, []),
            }
        )
    return described


def _status(instance: Instance, position: int, record: StepRecord | None) -> str:
    # A pruned instance has no records, yet it has finished the entries before its position.
    if record is not None or position < instance.position:
        return Status.COMPLETE.label
    if position > instance.position or instance.status == Status.QUEUED:
        return PENDING
    return Status(instance.status).label


def _told(record: StepRecord) -> dict[str, Any]:
    return _row({name: getattr(record, name) for name in _RECORD}) | {"output": _shown(record)}


def _shown(record: StepRecord) -> Any:
    return HIDDEN if record.sensitive else record.output


def _rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [_row(row) for row in rows]


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: as_text(value) if isinstance(value, datetime) else value
        for name, value in row.items()
    }
