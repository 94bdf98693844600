"""Stage 8: the article goes live; status, revision and cover flip in one transaction.

The sitemap reads `modified_at`. There is no sitemap ping: Google's endpoint has answered 404
since the end of 2023, Bing's since 2022.
"""

from django.db.models.functions import Coalesce, Now

from publishing import models
from publishing.intake.texts import refuse_republishing
from publishing.payloads import Brief, Cover, Indexed, Persisted, Published
from publishing.reviews import refuse_unapproved
from workflows.contracts import Transaction
from workflows.registry import step


@step("publish")
def publish(
    brief: Brief, persisted: Persisted, indexed: Indexed, cover: Cover
) -> Transaction[Published]:
    """Make the revision the one that readers see.

    Raises:
        UnapprovedError: its review ended without an approval of this revision; raised, as what
            another brief's text refuses, from within the transaction.
    """

    def flip() -> Published:
        row = models.Brief.objects.get(brief_id=brief.brief_id)
        refuse_unapproved(row, persisted.revision)
        # Text and article are locked to the commit: neither is taken away in between.
        refuse_republishing(row)
        models.Article.objects.filter(pk=persisted.article).update(
            status=models.Article.Status.LIVE,
            revision_id=persisted.revision,
            cover=cover.model_dump(),
            published_at=Coalesce("published_at", Now()),
            modified_at=Now(),
        )
        article = models.Article.objects.get(pk=persisted.article)
        return Published.model_validate(
            {
                "article": article.pk,
                "url": article.get_absolute_url(),
                "published_at": article.published_at,
            }
        )

    return Transaction(flip)
