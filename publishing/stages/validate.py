"""Stage 1: reserve the article's address, and note which briefs are much like this one."""

from typing import Literal

from django.db.models import F
from pgvector.django import CosineDistance

from publishing import models
from publishing.intake.texts import refuse_republishing
from publishing.payloads import Brief, Validated
from publishing.providers.embeddings import embed
from publishing.slugs import RESERVED, derive_slug
from workflows.contracts import StepOptions, Transaction
from workflows.errors import NonRetryableError, Park
from workflows.models import Status
from workflows.registry import step

SIMILAR = 0.85  # cosine likeness of title and summary from which two briefs are one subject
SLUG_TRIES = 100


class ValidateOptions(StepOptions):
    """What to do with a brief that is much like another: note it, hold it, or end it."""

    similar: Literal["note", "hold", "end"] = "note"


@step("validate")
def validate(brief: Brief, options: ValidateOptions) -> Transaction[Validated]:
    """Reserve a slug by a unique row; a given one that is taken holds for an editor."""
    vector = embed([f"{brief.title}\n{brief.summary}"])[0]

    def reserve() -> Validated:
        row = models.Brief.objects.select_for_update().get(brief_id=brief.brief_id)
        refuse_republishing(row)  # publish looks again; here, nothing is paid yet
        row.embedding = vector
        row.save(update_fields=["embedding"])
        similar = _similar_briefs(row, vector)
        if similar:
            _apply_policy(options.similar, similar)
        return Validated(slug=_reserve_slug(row, brief), similar=similar)

    return Transaction(reserve)


def _similar_briefs(row: models.Brief, vector: list[float]) -> list[tuple[str, float]]:
    nearest = (
        models.Brief.objects.exclude(pk=row.pk)
        .exclude(embedding=None)
        .exclude(instance__status__in=[Status.TERMINATED, Status.ERRORED])
        .annotate(distance=CosineDistance("embedding", vector))
        .order_by("distance")
        .values_list("brief_id", F("distance"))[:5]
    )
    found = [(brief_id, round(1 - distance, 3)) for brief_id, distance in nearest]
    return [(brief_id, likeness) for brief_id, likeness in found if likeness >= SIMILAR]


def _apply_policy(policy: str, similar: list[tuple[str, float]]) -> None:
    named = ", ".join(brief_id for brief_id, _ in similar)
    message = f"much like {named}; this lane's policy is to {policy} such briefs"
    if policy == "hold":
        raise Park("operator", message, data={"similar": similar})
    if policy == "end":
        raise NonRetryableError(message, data={"similar": similar})


def _reserve_slug(row: models.Brief, brief: Brief) -> str:
    reserved = models.Slug.objects.filter(brief=row).values_list("slug", flat=True).first()
    if reserved:
        return reserved
    if brief.slug:
        # Intake refuses reserved ones; a word may have been reserved since.
        if brief.slug in RESERVED or not _take(brief.slug, row):
            raise Park(
                "operator",
                f"the slug {brief.slug!r} is taken; free it or terminate this instance",
                data={"slug": brief.slug},
            )
        return brief.slug
    derived = derive_slug(brief.title)
    for number in range(1, SLUG_TRIES + 1):
        slug = derived if number == 1 else f"{derived}-{number}"
        if slug not in RESERVED and _take(slug, row):
            return slug
    raise NonRetryableError(f"{SLUG_TRIES} articles have the slug {derived!r}; give one")


def _take(slug: str, row: models.Brief) -> bool:
    """Insert the unique row, or find that somebody else has it."""
    models.Slug.objects.bulk_create([models.Slug(slug=slug, brief=row)], ignore_conflicts=True)
    return models.Slug.objects.filter(slug=slug, brief=row).exists()
