"""What models cost, as data: rows that are added, never changed, each with its source."""

from django.db import models
from django.db.models import F, Q


class Price(models.Model):
    """The rates of one model from a day on; an edit ends the row and adds the next version.

    Rates are nano-dollars a token, which is a thousand times the vendor's dollars per million
    tokens; of an image nano-dollars an image. A model without a row that holds now is refused.
    """

    class Kind(models.TextChoices):
        """What is counted."""

        TEXT = "text"
        EMBEDDING = "embedding"
        IMAGE = "image"

    kind = models.CharField(max_length=10, choices=Kind)
    model = models.CharField(max_length=80)
    version = models.PositiveIntegerField()
    above = models.PositiveIntegerField(
        default=0, help_text="Tokens of prompt above which these rates hold for every token."
    )
    size = models.CharField(max_length=20, blank=True, help_text="Of an image, such as 1024x1024.")
    quality = models.CharField(max_length=20, blank=True, help_text="Of an image.")
    prompt = models.PositiveBigIntegerField(default=0)
    answer = models.PositiveBigIntegerField(default=0)
    cache_write_5m = models.PositiveBigIntegerField(default=0)
    cache_write_1h = models.PositiveBigIntegerField(default=0)
    cache_read = models.PositiveBigIntegerField(default=0)
    image = models.PositiveBigIntegerField(default=0)
    batch_percent = models.PositiveSmallIntegerField(
        default=100, help_text="What a batch pays of the rates; 50 is half price."
    )
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True)
    source = models.TextField(help_text="Where the figures were read, and when.")
    author = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model", "above", "size", "quality", "version"],
                name="publishing_price_unique",
            ),
            # Of two who save a price at once one is told to look again.
            models.UniqueConstraint(
                fields=["model", "above", "size", "quality"],
                condition=Q(valid_until__isnull=True),
                name="publishing_price_open_unique",
            ),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gte=F("valid_from")),
                name="publishing_price_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model}, version {self.version}"
