"""Events: something sent to an instance that a `wait` entry takes.

An event that comes early is kept until its wait is reached; of several of one type the first is
taken first. It belongs to the generation that it was sent to: a restart leaves it behind.
"""

from typing import Any

from django.db import transaction
from psycopg.types.json import Jsonb

from workflows.errors import EventError, VerbRefusedError
from workflows.graphs import EVENT_TYPE, EVENT_TYPE_WORDS
from workflows.models import Status
from workflows.payloads import dumps
from workflows.statements import execute
from workflows.statements.events import SEND
from workflows.verbs import get_instance
from workflows.workers import call_for_drain


def send_event(
    instance_id: str,
    type: str,  # noqa: A002 - the field's word
    payload: Any = None,
    *,
    sender: str,
    key: str | None = None,
    generation: int | None = None,
    why: str = "",
) -> bool:
    """Send an event to an open instance; return False if one with this key was sent before.

    Args:
        instance_id: the whole ID.
        type: what a `wait` entry names; letters, digits, `_`, `-` and `.`, at most 100.
        payload: JSON, at most 1 MiB.
        sender: who sends it.
        key: the sender's own name for it, so that sending it twice sends it once.
        generation: the one that the sender has seen; None for the present one.
        why: kept in the event log.

    Raises:
        UnknownInstanceError: no such instance.
        VerbRefusedError: it has ended, or is in another generation; nothing was sent.
        EventError: the type is not allowed.
        PayloadError: the payload cannot be stored.
    """
    if not EVENT_TYPE.fullmatch(type):
        raise EventError(f"{type!r} is no event type: {EVENT_TYPE_WORDS}")
    dumps(payload, what=f"the payload of event {type} for {instance_id}")
    with transaction.atomic():
        rows = execute(
            SEND,
            {
                "instance_id": instance_id,
                "generation": generation,
                "type": type,
                "payload": None if payload is None else Jsonb(payload),
                "sender": sender,
                "key": key,
                "why": why,
            },
        )
        reached, sent = rows[0]
        if reached is not None:
            transaction.on_commit(call_for_drain)
            return sent is not None
    instance = get_instance(instance_id)
    if instance.status < Status.ERRORED and not instance.pruned_at:
        words = f"is in generation {instance.generation}, not {generation}"
    else:
        words = f"is {Status(instance.status).label} and takes no events"
    raise VerbRefusedError(f"send-event: {instance_id} {words}; nothing was sent")
