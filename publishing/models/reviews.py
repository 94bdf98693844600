"""Who approved which revision, and the articles that wait for that."""

from django.db import models

from publishing.models.articles import Article, Revision


class Approval(models.Model):
    """A person's word that one revision may go live, in one generation of its run."""

    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="approvals")
    generation = models.PositiveSmallIntegerField()
    actor = models.CharField(max_length=150)
    note = models.TextField(blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        default_permissions = ()
        permissions = [("approve_article", "Can approve or reject articles that wait for review")]
        constraints = [
            models.UniqueConstraint(
                fields=["revision", "generation"], name="publishing_approval_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"revision {self.revision_id} approved by {self.actor}"


class Review(Article):
    """An article as the review desk lists it."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = "review"
        verbose_name_plural = "waiting for review"
