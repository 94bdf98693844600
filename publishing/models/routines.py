"""Who may post: routines and their keys."""

from django.db import models

from lanes.models import Lane


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
