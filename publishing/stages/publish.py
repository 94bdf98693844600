"""Stage 8: the article goes live; status, revision and cover flip in one transaction.

The sitemap reads `modified_at`. There is no sitemap ping: Google's endpoint has answered 404
since the end of 2023, Bing's since 2022.
"""

from django.db.models.functions import Coalesce, Now

from publishing import models
from publishing.payloads import Brief, Cover, Indexed, Persisted, Published
from workflows.contracts import Transaction
from workflows.errors import NonRetryableError
from workflows.registry import step


@step("publish")
def publish(
    brief: Brief, persisted: Persisted, indexed: Indexed, cover: Cover
) -> Transaction[Published]:
    """Make the revision the one that readers see."""

    def flip() -> Published:
        # Locked, so that no other brief takes the text over between this look and the commit.
        held = models.Text.objects.select_for_update().filter(brief__brief_id=brief.brief_id)
        if not held.exists():
            raise NonRetryableError(
                "the same text was posted again while this brief was errored, and that brief "
                "has it now; terminate this instance"
            )
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
