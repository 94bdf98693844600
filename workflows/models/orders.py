"""What operators order once and the workers go on with: schedules and bulk operations."""

from django.db import models


class Schedule(models.Model):
    """A workflow that is started at set times, as `{workflow}-{name}-{time}`, once for each."""

    name = models.CharField(max_length=60, unique=True)
    workflow = models.CharField(max_length=40)
    cron = models.CharField(max_length=100)  # five fields, in UTC
    partition = models.CharField(max_length=60)
    entries = models.JSONField()  # of the graph, proved when the row is written
    envelope = models.JSONField(default=dict)
    is_on = models.BooleanField(default=True)
    next_at = models.DateTimeField()
    last_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.workflow} at {self.cron}"


class BulkOperation(models.Model):
    """One verb for many instances, applied in the background by an instance of `bulk`."""

    class State(models.TextChoices):
        """How far it is."""

        GOING = "going"
        STOPPED = "stopped"
        DONE = "done"

    verb = models.CharField(max_length=20)
    parameters = models.JSONField(default=dict)
    filter = models.JSONField(default=dict)
    actor = models.CharField(max_length=150)
    why = models.TextField(blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.GOING)
    total = models.PositiveIntegerField()
    newest = models.BigIntegerField()  # the last instance that existed when it was ordered
    cursor = models.BigIntegerField(default=0)  # the last instance that it has seen
    done = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    refusals = models.JSONField(default=list)  # the first few, in words
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"bulk operation {self.pk}: {self.verb}"
