"""JSON of an instance: cut for the page, whole for a download; sensitive outputs in neither."""

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from publishing.admin.marks import instance_words
from publishing.ledger.costs import costs_by_entry
from workflows.history import HIDDEN
from workflows.models import Envelope, Instance, StepRecord

SHOWN_CHARACTERS = 20_000

_RECORD = ("entry", "generation", "attempt", "superseded", "started_at", "finished_at")
_ATTEMPT = ("entry", "generation", "number", "outcome", "error", "started_at", "finished_at")
_LOG = ("kind", "generation", "actor", "why", "details", "at")
_EVENT = ("type", "generation", "payload", "sender", "sent_at", "taken_at")


def indented(value: Any) -> str:
    """Return JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)


def shown(value: Any) -> dict[str, Any]:
    """Return the JSON for a page: its text, cut when it is large, and whether it was."""
    text = indented(value)
    return {
        "text": text[:SHOWN_CHARACTERS],
        "characters": len(text),
        "is_cut": len(text) > SHOWN_CHARACTERS,
    }


def read_envelope(instance: Instance) -> Any:
    """Return what was frozen at dispatch, or None once it was pruned."""
    return Envelope.objects.filter(pk=instance.pk).values_list("data", flat=True).first()


def read_output(instance: Instance, entry: str) -> Any:
    """Return the recorded output that counts, or None if there is none; `[hidden]` if sensitive."""
    record = instance.records.filter(entry=entry, superseded=False).first()
    return output_of(record) if record else None


def output_of(record: StepRecord) -> Any:
    """Return a record's output as people may see it."""
    return HIDDEN if record.sensitive else record.output


def read_whole(instance: Instance) -> dict[str, Any]:
    """Return everything that is kept of the instance."""
    return {
        "instance_id": instance.instance_id,
        "status": instance_words(instance),
        "generation": instance.generation,
        "error": instance.error,
        "created_at": instance.created_at,
        "started_at": instance.started_at,
        "finished_at": instance.finished_at,
        "pruned_at": instance.pruned_at,
        "cost_micros": costs_by_entry(instance.key),
        "envelope": read_envelope(instance),
        "graph": instance.graph.entries,
        "records": [
            {name: getattr(record, name) for name in _RECORD} | {"output": output_of(record)}
            for record in instance.records.order_by("id")
        ],
        "attempts": list(instance.attempts.order_by("id").values(*_ATTEMPT)),
        "events": list(instance.events.order_by("id").values(*_EVENT)),
        "log": list(instance.log.order_by("id").values(*_LOG)),
    }
