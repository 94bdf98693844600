"""What routines post, and what a brief holds so that no other takes it."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models.fields.json import KT
from pgvector.django import HnswIndex, VectorField

from lanes.models import Bundle, Lane
from publishing.models.routines import Routine
from workflows.models import Instance

# As the index has it; a query must say it in the same words to be answered from there.
TITLE_WORDS = SearchVector(KT("payload__title"), config="simple")
EMBEDDING_SIZE = 384  # of the embedded n-gram embedder; one column has one width


class Brief(models.Model):
    """What a routine posted, as it was sent; the first payload under an ID stands."""

    brief_id = models.CharField(max_length=92, unique=True)
    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="briefs")
    routine = models.ForeignKey(
        Routine, on_delete=models.SET_NULL, null=True, blank=True, related_name="briefs"
    )
    instance = models.OneToOneField(Instance, on_delete=models.PROTECT, related_name="brief")
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="briefs")
    payload = models.JSONField()
    duplicates = models.PositiveIntegerField(
        default=0, help_text="How often it was posted again and absorbed."
    )
    embedding = VectorField(dimensions=EMBEDDING_SIZE, null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        indexes = [
            HnswIndex(
                fields=["embedding"], name="publishing_brief_near", opclasses=["vector_cosine_ops"]
            ),
            GinIndex(TITLE_WORDS, name="publishing_brief_title"),
        ]

    def __str__(self) -> str:
        return self.brief_id

    @property
    def title(self) -> str:
        """The headline that the routine proposed."""
        return str(self.payload.get("title", ""))


class Text(models.Model):
    """Who holds a text: one row for each payload without brief_id, lane, slug, publish_at.

    The holder keeps it while its article is live or its instance may still publish; see
    `publishing.intake.texts.hold_text`.
    """

    digest = models.CharField(max_length=64, unique=True)
    brief = models.OneToOneField(Brief, on_delete=models.CASCADE, related_name="text")

    def __str__(self) -> str:
        return f"{self.digest[:12]} held by {self.brief}"


class Slug(models.Model):
    """A reserved address; the unique row decides who has it."""

    slug = models.CharField(max_length=90, unique=True)
    brief = models.ForeignKey(Brief, on_delete=models.CASCADE, related_name="slugs")

    def __str__(self) -> str:
        return self.slug
