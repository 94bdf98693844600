"""Who runs instances, and how many may run."""

from django.db import models
from django.db.models import Q


class Drain(models.Model):
    """One standing worker slot: its beat and the lease of everything that it drives."""

    cluster = models.CharField(max_length=40, blank=True)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    process_started = models.CharField(max_length=40)
    code_version = models.CharField(max_length=64)
    threads = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    leaving = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True, blank=True)
    counts = models.JSONField(default=dict)  # since it began: outcomes, and abandoned threads

    class Meta:
        indexes = [
            models.Index(
                fields=["lease_until"], condition=Q(ended_at__isnull=True), name="workflows_drains"
            ),
        ]

    def __str__(self) -> str:
        return f"drain {self.pk} on {self.host}"


class DrainCall(models.Model):
    """One row: when a drain was last called for, so that of a thousand creators one enqueues."""

    called_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"drain called at {self.called_at}"


class Tally(models.Model):
    """A running total: what drains that were forgotten had counted, and leases that were lost."""

    name = models.CharField(max_length=40, primary_key=True)
    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class Limit(models.Model):
    """How many instances may run at once: in a partition, or in all (partition '*')."""

    partition = models.CharField(max_length=60, unique=True)
    max_running = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.partition}: {self.max_running}"
