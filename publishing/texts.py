"""Who holds a text: a unique row keeps the same text from being published under two IDs."""

import hashlib
import json
from typing import Any

from django.db import connection

from publishing.models import Brief, Text
from publishing.payloads import Brief as Payload
from workflows.models import Status

NOT_TEXT = {"brief_id", "lane", "slug", "publish_at"}
_LET_GO = [Status.ERRORED, Status.TERMINATED]

_HOLD = """
insert into publishing_text (digest, brief_id) values (%s, %s)
on conflict (digest) do nothing returning id
"""


def text_digest(payload: Payload) -> str:
    """Return the SHA-256 of what makes the text; a field left out equals its default."""
    text: dict[str, Any] = payload.model_dump(mode="json", exclude=NOT_TEXT)
    canonical = json.dumps(text, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def hold_text(brief: Brief, digest: str) -> bool:
    """Make the brief the holder of its text; False if another brief holds it.

    A twin that has not committed yet is waited for. A holder whose instance is errored or
    terminated loses the text; its rows are locked, so that a retry of it comes before or after.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [digest, brief.pk])
        if cursor.fetchone():
            return True
    let_go = (
        Text.objects.select_related("brief__instance")
        .select_for_update(of=("self", "brief__instance"))
        .filter(digest=digest, brief__instance__status__in=_LET_GO)
        .first()
    )
    return bool(let_go and Text.objects.filter(pk=let_go.pk).update(brief=brief))


def holder_of(digest: str) -> Brief | None:
    """Return the brief that holds the text, with its instance and lane."""
    held = Text.objects.select_related("brief__instance", "brief__lane").filter(digest=digest)
    return held[0].brief if held else None
