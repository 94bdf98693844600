"""Stage 7: the cover, set in type and stored under the digest of its bytes."""

import hashlib
from datetime import timedelta
from typing import Annotated

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pydantic import Field

from publishing.covers import draw_cover
from publishing.covers.encoding import Encoded, encode
from publishing.payloads import Brief, Cover, Persisted, Rendition
from workflows.contracts import StepOptions
from workflows.registry import step
from workflows.retries import RetryPolicy

MADE_BY = "presswork typographic cover"


class CoverOptions(StepOptions):
    """What a cover shows of its lane: its hue in degrees, and its title."""

    hue: Annotated[int, Field(ge=0, lt=360)]
    folio: str


# A store that is busy or racing is back within seconds; drawing again costs nothing.
POLICY = RetryPolicy(delay=timedelta(seconds=2))


@step("cover", policy=POLICY)
def cover(brief: Brief, persisted: Persisted, options: CoverOptions) -> Cover:
    """Draw and store the cover; a second run stores nothing new.

    Its pattern grows from the brief_id, so that another revision keeps it. The day is shown where
    the brief names one: the day of publishing is not known yet, and no clock is read.
    """
    drawn = draw_cover(
        headline=persisted.title,
        folio=options.folio,
        hue=options.hue,
        seed=brief.brief_id,
        day=brief.publish_at.date() if brief.publish_at else None,
    )
    return Cover(
        renditions=[_store(rendition) for rendition in encode(drawn)],
        alt=f"Typographic cover: {persisted.title}",
        made_by=MADE_BY,
    )


def _store(rendition: Encoded) -> Rendition:
    digest = hashlib.sha256(rendition.body).hexdigest()
    key = f"covers/{digest[:2]}/{digest}.{rendition.suffix}"
    return Rendition(
        key=default_storage.save(key, ContentFile(rendition.body)),
        width=rendition.width,
        height=rendition.height,
        body_bytes=len(rendition.body),
    )
