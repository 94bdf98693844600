"""Immutable versions of what differs between lanes; the database refuses to change one."""

from django.conf import settings
from django.db import models

from lanes.models.lanes import Lane


class Version(models.Model):
    """What every version has: a number within its lane, a note, and who saved it when."""

    version = models.PositiveIntegerField()
    note = models.CharField(max_length=300, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class Bundle(Version):
    """One version of a lane's four specs; the anti-patterns are rows of their own.

    Attributes:
        pattern_count: how many anti-patterns it was saved with; the database takes no more.
    """

    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="bundles")
    voice = models.TextField()
    audience = models.TextField()
    brief_hints = models.TextField()
    pattern_count = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["lane", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["lane", "version"], name="lanes_bundle_version_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.lane.name} bundle {self.version}"


class AntiPattern(models.Model):
    """Something that a bundle's lane does not print, and why.

    Attributes:
        place: its position in the bundle, from 0.
        pattern: a regular expression that finds it; empty where none can.
    """

    class Severity(models.TextChoices):
        """What a reviewer is to make of a find."""

        WARN = "warn"
        FLAG = "flag"

    bundle = models.ForeignKey(Bundle, on_delete=models.CASCADE, related_name="anti_patterns")
    place = models.PositiveSmallIntegerField()
    text = models.TextField()
    why = models.TextField()
    severity = models.CharField(max_length=4, choices=Severity, default=Severity.WARN)
    pattern = models.TextField(blank=True)

    class Meta:
        ordering = ["bundle", "place"]
        constraints = [
            models.UniqueConstraint(
                fields=["bundle", "place"], name="lanes_antipattern_place_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.text


class LaneOptions(Version):
    """One version of the options that a lane lays over its graph's entries."""

    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="options_versions")
    entries = models.JSONField(default=dict, help_text='{"entry": {"option": value}}')

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


class LaneGraph(Version):
    """One version of a lane's own graph, as it is written: options are laid over it at dispatch.

    Attributes:
        reason: why the lane has a graph of its own although it is hardly different from the spine.
    """

    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="graphs")
    entries = models.JSONField(help_text="A list of entries, as the engine reads them.")
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["lane", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["lane", "version"], name="lanes_graph_version_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.lane.name} graph {self.version}"
