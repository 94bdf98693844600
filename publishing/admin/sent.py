"""The events that were sent to an instance, each with what became of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from publishing.admin.downloads import shown
from workflows.models import Instance, Status


@dataclass(frozen=True)
class Sent:
    """One event; `fate` says in words whether it was taken."""

    pk: int
    type: str
    generation: int
    sender: str
    sent_at: datetime
    taken_at: datetime | None
    fate: str
    payload: dict[str, Any] | None


def read_events(instance: Instance) -> list[Sent]:
    """Return the events in the order in which they were sent."""
    return [
        Sent(
            pk=event.pk,
            type=event.type,
            generation=event.generation,
            sender=event.sender,
            sent_at=event.sent_at,
            taken_at=event.taken_at,
            fate=_fate(instance, event.generation, event.taken_at),
            payload=None if event.payload is None else shown(event.payload),
        )
        for event in instance.events.order_by("id")
    ]


def _fate(instance: Instance, generation: int, taken_at: datetime | None) -> str:
    if taken_at is not None:
        return "taken"
    if generation != instance.generation:
        return "left behind by a restart"
    if instance.status >= Status.ERRORED:
        return "not taken before the end"
    return "kept until an entry waits for it"
