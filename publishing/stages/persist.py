"""Stage 5: the article's row and its next revision, with the sources that it rests on."""

from django.db.models import Max

from lanes.models import Bundle
from publishing import models
from publishing.directives import plain_text
from publishing.payloads import Brief, Cleaned, FetchedSource, Grounded, Persisted, Validated
from workflows.contracts import StepContext, Transaction
from workflows.registry import step


@step("persist")
def persist(
    brief: Brief, validated: Validated, grounded: Grounded, cleaned: Cleaned, context: StepContext
) -> Transaction[Persisted]:
    """Store a new revision; readers see it once it is published."""
    words = len(plain_text(cleaned.body).split())

    def store() -> Persisted:
        row = models.Brief.objects.select_for_update().get(brief_id=brief.brief_id)
        article, _ = models.Article.objects.get_or_create(
            brief=row, defaults={"lane_id": row.lane_id, "slug": validated.slug}
        )
        last = article.revisions.aggregate(last=Max("number"))["last"] or 0
        revision = models.Revision.objects.create(
            article=article,
            number=last + 1,
            title=cleaned.title,
            summary=cleaned.summary,
            body=cleaned.body,
            words=words,
            tags=cleaned.tags,
            written_by=cleaned.written_by.model_dump(),
            flags=cleaned.flags,
            findings=cleaned.findings,
            # What it was written under: another than the brief's after a regeneration.
            bundle=Bundle.objects.get(lane=row.lane_id, version=cleaned.written_by.bundle),
            generation=context.generation,
        )
        models.Source.objects.bulk_create(
            _source(revision, source, cleaned) for source in grounded.fetched
        )
        return Persisted(
            article=article.pk,
            revision=revision.pk,
            slug=article.slug,
            title=revision.title,
            summary=revision.summary,
            body=revision.body,
        )

    return Transaction(store)


def _source(revision: models.Revision, source: FetchedSource, cleaned: Cleaned) -> models.Source:
    quotes = [c.quote for c in cleaned.citations if c.source == source.id and c.quote]
    return models.Source(
        revision=revision,
        key=source.id,
        url=source.url,
        final_url=source.final_url,
        title=source.title,
        site=source.site,
        quote=quotes[0] if quotes else "",
        sha256=source.sha256,
        injection_score=source.injection_score,
        fetched_at=source.fetched_at,
    )
