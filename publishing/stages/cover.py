"""Stage 7: the cover, set in type or with a paid picture, stored under the digest of its bytes."""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pydantic import Field

from publishing import ledger
from publishing.covers import asking, draw_cover
from publishing.covers.encoding import Encoded, encode, encode_picture
from publishing.covers.pictured import PictureError, draw_pictured_cover, read_picture
from publishing.ledger import Answer, PaidCall
from publishing.ledger.image_prices import worst_of_image
from publishing.payloads import Brief, Cover, Persisted, Rendition
from publishing.providers import originals
from workflows.contracts import StepContext, StepOptions
from workflows.errors import NonRetryableError
from workflows.registry import step
from workflows.retries import RetryPolicy

MADE_BY = "presswork typographic cover"
CALL_TIMEOUT = timedelta(minutes=3)  # an image takes between two seconds and two minutes
_SPARE = timedelta(seconds=60)  # kept before the attempt's deadline to settle, draw and store


class CoverOptions(StepOptions):
    """What a cover shows of its lane: its hue in degrees, and its title."""

    hue: Annotated[int, Field(ge=0, lt=360)]
    folio: str


# A store that is busy or racing is back within seconds; drawing again costs nothing, and what
# is paid is paid once.
POLICY = RetryPolicy(delay=timedelta(seconds=2))


def worst_case(_: CoverOptions) -> int:
    """Return the most micro-dollars that one cover may cost; 0 without a key."""
    model = asking.model_in_use()
    if not model:
        return 0
    quality, most = asking.quality_of(model), asking.MOST_PROMPT_BYTES
    return worst_of_image(model, asking.SIZE, quality, prompt_bytes=most)


@step("cover", policy=POLICY, worst_case=worst_case)
def cover(brief: Brief, persisted: Persisted, options: CoverOptions, context: StepContext) -> Cover:
    """Draw and store the cover; a second run pays nothing and stores nothing new.

    Its colours grow from the brief_id, so that another revision keeps them. The day is shown where
    the brief names one: the day of publishing is not known yet, and no clock is read.

    Raises:
        NonRetryableError: a paid picture cannot be used; it is shown, not paid again.
        Park, RetryableError: as `ledger.pay` has it, or the store is away.
    """
    words: dict[str, Any] = {
        "headline": persisted.title,
        "folio": options.folio,
        "hue": options.hue,
        "seed": brief.brief_id,
        "day": brief.publish_at.date() if brief.publish_at else None,
    }
    model = asking.model_in_use()
    if model:
        return _pictured(_pay_for(model, brief, persisted, context), model, words)
    return Cover(
        renditions=_store(encode(draw_cover(**words))),
        alt=f"Typographic cover: {persisted.title}",
        made_by=MADE_BY,
    )


def _pay_for(model: str, brief: Brief, persisted: Persisted, context: StepContext) -> Answer:
    ordered = ledger.regeneration_in_force(
        brief.brief_id, entry=context.entry, generation=context.generation
    )
    return ledger.pay(
        PaidCall(
            provider="image",
            brief_id=brief.brief_id,
            lane=brief.lane,
            entry=context.entry,
            regeneration=ordered.number,
            label="image",
            request=asking.build_request(model, title=persisted.title, summary=persisted.summary),
            deadline=min(datetime.now(UTC) + CALL_TIMEOUT, context.deadline - _SPARE),
            drain=context.drain,
        )
    )


def _pictured(answer: Answer, model: str, words: dict[str, Any]) -> Cover:
    try:
        picture = read_picture(_picture_bytes(answer.body))
    except PictureError as error:
        raise NonRetryableError(
            f"{error} (call {answer.call}, {answer.cost_micros} micro-dollars, paid once). "
            "A retry reads the same answer again; regenerate from here, or terminate.",
            data={"call": answer.call},
        ) from error
    return Cover(
        renditions=_store(encode_picture(draw_pictured_cover(picture, **words))),
        alt=f"Illustration made by a model for: {words['headline']}",
        made_by=f"picture by {model}, set by presswork",
    )


def _picture_bytes(body: Mapping[str, Any]) -> bytes:
    """Return the picture of an answer of either vendor: from the store, or from the memo."""
    held: Any = body.get("result") or body.get("data")
    held = held[0] if isinstance(held, list) and held else held
    if not isinstance(held, dict):
        raise PictureError("the answer has no picture")
    if held.get("original"):
        return originals.load(str(held["original"]))
    try:
        return base64.b64decode(str(held.get("image") or held.get("b64_json")), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError("the answer has no picture in base64") from error


def _store(files: Sequence[Encoded]) -> list[Rendition]:
    return [_store_one(file) for file in files]


def _store_one(rendition: Encoded) -> Rendition:
    digest = hashlib.sha256(rendition.body).hexdigest()
    key = f"covers/{digest[:2]}/{digest}.{rendition.suffix}"
    return Rendition(
        key=default_storage.save(key, ContentFile(rendition.body)),
        width=rendition.width,
        height=rendition.height,
        body_bytes=len(rendition.body),
    )
