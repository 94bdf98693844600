"""What is kept of a run: outcomes, lost tries, events, and the event log."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from workflows.models.instances import Instance


class StepRecord(models.Model):
    """The stored outcome of a finished entry, and the attempt that finished it."""

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="records")
    generation = models.PositiveSmallIntegerField()
    position = models.PositiveSmallIntegerField()
    entry = models.CharField(max_length=60)
    attempt = models.PositiveIntegerField()
    output = models.JSONField()
    sensitive = models.BooleanField(default=False)  # shown as `[hidden]` wherever people look
    superseded = models.BooleanField(default=False)
    drain = models.BigIntegerField(null=True, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["instance", "entry"],
                condition=Q(superseded=False),
                name="workflows_record_live_unique",
            ),
        ]
        indexes = [
            # Rows come in the order of their ends: usage of a time range reads that range only.
            BrinIndex(fields=["finished_at"], name="workflows_record_times", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.entry} of instance {self.instance_id}"


class Outcome(models.TextChoices):
    """How an attempt that recorded nothing ended."""

    FAILED = "failed"
    TIMED_OUT = "timed out"
    LOST = "lost"  # its process died
    INTERRUPTED = "interrupted"  # its worker was stopped; not counted
    PARKED = "parked"  # it waits for something; not counted


class Attempt(models.Model):
    """One try at a step that ended without a record; the one that succeeds is the record."""

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="attempts")
    generation = models.PositiveSmallIntegerField()
    position = models.PositiveSmallIntegerField()
    entry = models.CharField(max_length=60)
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=12, choices=Outcome)
    error = models.JSONField(null=True, blank=True)
    drain = models.BigIntegerField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["instance", "position", "id"], name="workflows_attempts"),
            BrinIndex(fields=["finished_at"], name="workflows_attempt_times", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} at {self.entry}: {self.outcome}"


class Event(models.Model):
    """Something sent to an instance; belongs to the generation it was sent to."""

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="events")
    generation = models.PositiveSmallIntegerField()
    type = models.CharField(max_length=100)
    payload = models.JSONField(null=True, blank=True)
    sender = models.CharField(max_length=150)
    key = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001 - null: none
    sent_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["instance", "generation", "key"], name="workflows_event_key_unique"
            ),
        ]
        indexes = [
            models.Index(
                fields=["instance", "type", "id"],
                condition=Q(taken_at__isnull=True),
                name="workflows_untaken_events",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} for instance {self.instance_id}"


class LogEntry(models.Model):
    """One line of the event log: verbs, waits and ends, never step transitions.

    `transaction` is the writer's xid8. Serial ids commit out of order, so a reader's cursor is
    (transaction, id) and stops at `pg_snapshot_xmin(pg_current_snapshot())`.
    """

    transaction = models.BigIntegerField()
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="log")
    generation = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=20)
    actor = models.CharField(max_length=150, blank=True)
    why = models.TextField(blank=True)
    details = models.JSONField(null=True, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["transaction", "id"], name="workflows_log_cursor"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of instance {self.instance_id}"
