"""What readers see: articles, their revisions, sources and searchable pieces."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q
from pgvector.django import HnswIndex, VectorField

from lanes.models import Bundle, Lane
from publishing.models.briefs import EMBEDDING_SIZE, Brief


class Article(models.Model):
    """What readers see; live once the publish stage has flipped its status."""

    class Status(models.TextChoices):
        """Whether readers see it."""

        DRAFT = "draft"
        LIVE = "live"
        WITHDRAWN = "withdrawn"

    brief = models.OneToOneField(Brief, on_delete=models.PROTECT, related_name="article")
    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="articles")
    slug = models.CharField(max_length=90, unique=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.DRAFT)
    revision = models.ForeignKey(
        "Revision", on_delete=models.PROTECT, null=True, blank=True, related_name="current_of"
    )
    cover = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, blank=True)
    modified_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["-published_at"], condition=Q(status="live"), name="publishing_newest"
            ),
            models.Index(
                fields=["lane", "-published_at"],
                condition=Q(status="live"),
                name="publishing_newest_in_lane",
            ),
        ]

    def __str__(self) -> str:
        return self.revision.title if self.revision else self.slug

    def get_absolute_url(self) -> str:
        """Return the path of its page."""
        return f"/{self.slug}/"


class Revision(models.Model):
    """One stored version of an article's text, and how it came to be."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    summary = models.TextField()
    body = models.TextField(help_text="Markdown with directives.")
    words = models.PositiveIntegerField()
    tags = models.JSONField(default=list)
    written_by = models.JSONField(help_text="Author kind, model and bundle version.")
    flags = models.JSONField(default=list, help_text="Why a person should look at it.")
    findings = models.JSONField(default=list, help_text="What clean reported without refusing.")
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="revisions")
    generation = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["article", "number"], name="publishing_revision_number_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.number})"


class Source(models.Model):
    """A page that a revision rests on, as it was fetched; numbered as the text cites it."""

    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="sources")
    key = models.CharField(max_length=8, help_text="The id that the text cites: s1, s2 …")
    url = models.TextField()
    final_url = models.TextField()
    title = models.TextField(blank=True)
    site = models.CharField(max_length=255, blank=True)
    quote = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64)
    injection_score = models.FloatField(default=0)
    fetched_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["revision", "key"], name="publishing_source_key_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.title or self.url}"


class Chunk(models.Model):
    """A searchable piece of a revision: its text, its full-text vector and its embedding."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="chunks")
    position = models.PositiveSmallIntegerField()
    heading = models.TextField(blank=True)
    text = models.TextField()
    embedder = models.CharField(max_length=60, help_text="Vectors of two embedders never mix.")
    embedding = VectorField(dimensions=EMBEDDING_SIZE)
    words = models.GeneratedField(
        expression=SearchVector(F("heading"), weight="A", config="english")
        + SearchVector(F("text"), weight="B", config="english"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["article", "position"], name="publishing_chunk_position_unique"
            ),
        ]
        indexes = [
            GinIndex(fields=["words"], name="publishing_chunk_words"),
            HnswIndex(
                fields=["embedding"], name="publishing_chunk_near", opclasses=["vector_cosine_ops"]
            ),
        ]

    def __str__(self) -> str:
        return f"chunk {self.position} of {self.article_id}"
