"""Briefs, articles, keys and money: the rows of the publishing platform."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q
from pgvector.django import HnswIndex, VectorField

from lanes.models import Bundle, Lane
from workflows.models import Instance

EMBEDDING_SIZE = 384  # of the embedded n-gram embedder; one column has one width


class Routine(models.Model):
    """An agent that posts briefs."""

    name = models.CharField(max_length=80, unique=True)
    lanes = models.ManyToManyField(Lane, related_name="routines", blank=True)
    rate_per_minute = models.PositiveIntegerField(
        null=True, blank=True, help_text="Most new briefs a minute; empty for no limit."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class RoutineKey(models.Model):
    """A routine's bearer key: a prefix that may be seen, and the digest of its secret."""

    routine = models.ForeignKey(Routine, on_delete=models.CASCADE, related_name="keys")
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the whole key, in hex.")
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.routine}"


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


class Cap(models.Model):
    """The most that may be spent in one bucket of a scope; edited in the admin.

    Scopes: `brief` bounds each brief, `day` everything between two midnights in UTC. `name` is
    empty: a scope has one cap.
    """

    scope = models.CharField(max_length=10)
    name = models.CharField(max_length=60, blank=True)
    cap_micros = models.PositiveBigIntegerField(help_text="Millionths of a US dollar.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "name"], name="publishing_cap_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.name}".strip()


class Bucket(models.Model):
    """What is spent and held against one cap, such as `brief:{brief_id}` or `day:{UTC date}`."""

    key = models.CharField(max_length=140, primary_key=True)
    cap_micros = models.PositiveBigIntegerField()
    held_micros = models.PositiveBigIntegerField(default=0)
    spent_micros = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return self.key


class Call(models.Model):
    """One paid call: a hold before it, the real cost after it, its raw answer as memo."""

    class State(models.TextChoices):
        """What became of the call; only `settled` and `unknown` cost."""

        HELD = "held"
        SETTLED = "settled"
        RELEASED = "released"
        UNKNOWN = "unknown"

    key = models.CharField(max_length=220, help_text="brief / entry / regeneration / label")
    request_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State, default=State.HELD)
    brief_id = models.CharField(max_length=92, db_index=True)
    lane = models.CharField(max_length=40)
    entry = models.CharField(max_length=60)
    model = models.CharField(max_length=80)
    buckets = models.JSONField(help_text="The keys of the buckets that it counts against.")
    held_micros = models.PositiveBigIntegerField()
    cost_micros = models.PositiveBigIntegerField(null=True, blank=True)
    price_version = models.CharField(max_length=40)
    answer = models.JSONField(null=True, blank=True)
    usage = models.JSONField(null=True, blank=True)
    request_id = models.CharField(max_length=120, blank=True)
    outcome = models.TextField(blank=True)
    drain = models.BigIntegerField(null=True, blank=True)
    served = models.PositiveIntegerField(default=0, help_text="How often the memo was served.")
    lease_until = models.DateTimeField()
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key"],
                condition=Q(state__in=["held", "settled"]),
                name="publishing_call_open_or_settled_unique",
            ),
            models.CheckConstraint(
                condition=Q(held_micros__gt=0), name="publishing_call_holds_something"
            ),
        ]
        indexes = [
            models.Index(
                fields=["lease_until"], condition=Q(state="held"), name="publishing_open_calls"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} ({self.state})"
