"""Who holds a text: a unique row keeps the same text from being published under two IDs."""

import hashlib
import json
from typing import Any

from django.db import connection

from publishing.models import Article, Brief, Text
from publishing.payloads import Brief as Payload
from workflows.errors import NonRetryableError
from workflows.models import Status

NOT_TEXT = {"brief_id", "lane", "slug", "publish_at"}
_FAILED = [Status.ERRORED, Status.TERMINATED]

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

    A twin that has not committed yet is waited for. A holder loses a text that is neither live
    nor on its way: its instance is errored or terminated and its article is not live, or the
    instance is complete and the article was withdrawn. Its rows are locked, so that a retry of it
    comes before or after. Called in a transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [digest, brief.pk])
        if cursor.fetchone():
            return True
    held = (
        Text.objects.select_related("brief__instance")
        .select_for_update(of=("self", "brief__instance"))
        .filter(digest=digest, brief__instance__status__in=[*_FAILED, Status.COMPLETE])
        .first()
    )
    if held is None or not _is_let_go(held.brief):
        return False
    return bool(Text.objects.filter(pk=held.pk).update(brief=brief))


def holder_of(digest: str) -> Brief | None:
    """Return the brief that holds the text, with its instance and lane."""
    held = Text.objects.select_related("brief__instance", "brief__lane").filter(digest=digest)
    return held[0].brief if held else None


def regain_text(brief: Brief) -> bool:
    """Make sure that the brief holds its text before it goes live; False if it has lost it.

    One whose text was taken over gets it back where nobody holds it any more, or where its holder
    lets go as told at `hold_text`. The row stays locked to the end of the transaction, which must
    be the one in which the article goes live.
    """
    if Text.objects.select_for_update().filter(brief=brief).first():
        return True
    return hold_text(brief, text_digest(Payload.model_validate(brief.payload)))


def refuse_republishing(brief: Brief) -> None:
    """Refuse a brief that would publish a text twice, or an article that an editor withdrew.

    Called in the transaction of a stage; text and article are then locked to its end.

    Raises:
        NonRetryableError: it says what an operator can do.
    """
    if not regain_text(brief):
        raise _lost_text(brief)
    # Locked after the text, as whoever puts an article back does.
    article = Article.objects.select_for_update().filter(brief=brief).first()
    if article is not None and article.status == Article.Status.WITHDRAWN:
        raise NonRetryableError(
            f"the article of brief {brief.brief_id} was withdrawn, and a run does not put it back; "
            "put it back in the admin first, then retry this instance"
        )


def _is_let_go(holder: Brief) -> bool:
    # A statement of its own, after the lock: whoever makes an article live holds that lock, so
    # that what they committed is seen here.
    article = Article.objects.filter(brief=holder).values_list("status", flat=True).first()
    if holder.instance.status in _FAILED:
        return article != Article.Status.LIVE
    return article == Article.Status.WITHDRAWN


def _lost_text(brief: Brief) -> NonRetryableError:
    holder = holder_of(text_digest(Payload.model_validate(brief.payload)))
    named, data = "another brief", {}
    if holder is not None:
        data = {"held_by": holder.brief_id}
        # Routines of the lane read the message; operators see the data as well.
        if holder.lane_id == brief.lane_id:
            named = f"brief {holder.brief_id} ({holder.instance.instance_id})"
        else:
            named = "a brief of another lane"
    return NonRetryableError(
        f"the same text was posted again while brief {brief.brief_id} was errored or withdrawn, "
        f"and {named} has it now; terminate this instance",
        data=data,
    )
