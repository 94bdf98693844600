"""Lanes, and the immutable versions of what differs between them."""

from django.conf import settings
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models


class Lane(models.Model):
    """An editorial line; idle, it is rows and nothing else."""

    name = models.CharField(
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9_-]*\Z", "Use a-z, 0-9, - and _.")],
        help_text="What routines write in a brief's <code>lane</code>. It cannot change later.",
    )
    title = models.CharField(max_length=60, help_text="Shown to readers.")
    description = models.CharField(max_length=300, blank=True)
    hue = models.PositiveSmallIntegerField(
        default=210,
        validators=[MaxValueValidator(359)],
        help_text="Degrees around the colour wheel: the lane's rule, folio and cover.",
    )
    place = models.PositiveSmallIntegerField(default=0, help_text="Order on the site.")
    closed_because = models.CharField(
        max_length=300,
        blank=True,
        help_text="If set, new briefs are refused with this reason; open instances finish.",
    )
    bundle = models.ForeignKey(
        "Bundle", on_delete=models.PROTECT, null=True, blank=True, related_name="current_of"
    )
    options = models.ForeignKey(
        "LaneOptions", on_delete=models.PROTECT, null=True, blank=True, related_name="current_of"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["place", "name"]

    def __str__(self) -> str:
        return self.title


class Bundle(models.Model):
    """One immutable version of a lane's four specs; the database refuses to change it."""

    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="bundles")
    version = models.PositiveIntegerField()
    voice = models.TextField()
    audience = models.TextField()
    anti_patterns = models.JSONField(
        default=list, help_text="A list of objects with text, why, severity and perhaps pattern."
    )
    brief_hints = models.TextField()
    note = models.CharField(max_length=300, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["lane", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["lane", "version"], name="lanes_bundle_version_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.lane.name} bundle {self.version}"


class LaneOptions(models.Model):
    """One immutable version of the options that a lane lays over its graph's entries."""

    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="options_versions")
    version = models.PositiveIntegerField()
    entries = models.JSONField(default=dict, help_text='{"entry": {"option": value}}')
    note = models.CharField(max_length=300, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["lane", "-version"]
        verbose_name_plural = "lane options"
        constraints = [
            models.UniqueConstraint(
                fields=["lane", "version"], name="lanes_options_version_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lane.name} options {self.version}"
