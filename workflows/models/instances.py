"""Instances: what runs, where each stands, and what it was started with.

Hot writes are SQL in `workflows.statements`; the ORM reads. Columns that a checkpoint
touches are in no index, so that those updates stay heap-only.
"""

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Concat


class Status(models.IntegerChoices):
    """The honest states of an instance; waiting, paused and ended ones hold no worker."""

    QUEUED = 0, "queued"  # this generation was never yet claimed
    RUNNING = 1, "running"
    WAITING = 2, "waiting"  # `reason` says for what
    PAUSED = 3, "paused"
    ERRORED = 4, "errored"
    TERMINATED = 5, "terminated"
    COMPLETE = 6, "complete"


class Reason(models.TextChoices):
    """What a waiting instance waits for."""

    RETRY = "retry"
    SLEEP = "sleep"
    EVENT = "event"
    BUDGET = "budget"
    BUSY = "busy"
    CALL = "call"
    CODE = "code"
    OPERATOR = "operator"


class Rank(models.IntegerChoices):
    """The order in which due instances of one partition are claimed."""

    WOKEN = 0, "woken"
    NEW = 1, "new"
    SUSPECT = 2, "suspect"  # was in flight in a process that died; driven one at a time


class Trigger(models.TextChoices):
    """What created an instance."""

    API = "api"
    COMMAND = "command"
    ADMIN = "admin"
    SCHEDULE = "schedule"
    IMPORT = "import"


class StepGraph(models.Model):
    """An immutable, ordered list of entries; instances point to the one they run."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    entries = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"graph {self.digest[:12]}"


class Instance(models.Model):
    """One durable run. The database mints its ID; nothing is ever added to it."""

    workflow = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    instance_id = models.GeneratedField(
        expression=Concat(F("workflow"), Value("-"), F("key")),
        output_field=models.CharField(max_length=141),
        db_persist=True,
    )
    partition = models.CharField(max_length=60)
    graph = models.ForeignKey(StepGraph, on_delete=models.PROTECT, related_name="instances")
    trigger = models.CharField(max_length=12, choices=Trigger)
    payload_hash = models.CharField(max_length=64)

    generation = models.PositiveSmallIntegerField(default=1)
    status = models.PositiveSmallIntegerField(choices=Status, default=Status.QUEUED)
    reason = models.CharField(  # noqa: DJ001 - null: it waits for nothing
        max_length=8, choices=Reason, null=True, blank=True
    )
    position = models.PositiveSmallIntegerField(default=0)
    attempt = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    crashes = models.PositiveSmallIntegerField(default=0)
    attempt_started_at = models.DateTimeField(null=True, blank=True)
    policy = models.JSONField(null=True, blank=True)  # of this entry, frozen at its first failure
    deadline_at = models.DateTimeField(null=True, blank=True)  # of this entry's sleep or wait
    error = models.JSONField(null=True, blank=True)

    owner = models.BigIntegerField(null=True, blank=True)
    fence = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    rank = models.PositiveSmallIntegerField(choices=Rank, default=Rank.NEW)
    wake_at = models.DateTimeField(null=True, blank=True)
    inbox = models.PositiveIntegerField(default=0)
    pause_requested = models.BooleanField(default=False)

    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    pruned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instance_id"], name="workflows_instance_id_unique"),
            # A hyphen in the name would let two (workflow, key) pairs make one ID.
            models.CheckConstraint(
                condition=Q(workflow__regex=r"^[a-z][a-z0-9_]*$"),
                name="workflows_instance_workflow_name",
            ),
            models.CheckConstraint(
                condition=Q(key__regex=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"),
                name="workflows_instance_key",
            ),
            models.CheckConstraint(
                condition=Q(reason__isnull=True) | Q(status__in=[Status.WAITING, Status.PAUSED]),
                name="workflows_instance_reason_only_waiting",
            ),
            models.CheckConstraint(
                condition=Q(owner__isnull=True) | Q(status=Status.RUNNING),
                name="workflows_instance_owner_only_running",
            ),
            models.CheckConstraint(
                condition=Q(pause_requested=False) | Q(status=Status.RUNNING),
                name="workflows_instance_pause_only_running",
            ),
            models.CheckConstraint(
                condition=Q(trigger__in=Trigger.values), name="workflows_instance_trigger"
            ),
        ]
        indexes = [
            models.Index(
                fields=["partition", "rank", "due_at"],
                condition=Q(due_at__isnull=False),
                name="workflows_due",
            ),
            models.Index(
                fields=["due_at"],
                condition=Q(due_at__isnull=False, rank=Rank.SUSPECT),
                name="workflows_suspects",
            ),
            models.Index(
                fields=["partition"], condition=Q(status=Status.RUNNING), name="workflows_running"
            ),
            models.Index(
                fields=["owner"], condition=Q(owner__isnull=False), name="workflows_owned"
            ),
            models.Index(fields=["workflow", "-created_at"], name="workflows_newest"),
            models.Index(
                fields=["-id"],
                condition=Q(status=Status.ERRORED)
                | Q(status=Status.WAITING, reason__in=[Reason.OPERATOR, Reason.BUDGET]),
                name="workflows_needs_person",
            ),
            models.Index(
                fields=["id"], condition=Q(reason=Reason.CODE), name="workflows_wait_for_code"
            ),
            models.Index(
                fields=["status", "reason"],
                condition=Q(status__lt=Status.TERMINATED),
                name="workflows_open",
            ),
            models.Index(
                fields=["workflow", "status", "finished_at"],
                condition=Q(status__gt=Status.PAUSED, pruned_at__isnull=True),
                name="workflows_prunable",
            ),
        ]

    def __str__(self) -> str:
        return str(self.instance_id)


class Envelope(models.Model):
    """What was frozen at dispatch; a row of its own so that the hot row stays narrow."""

    instance = models.OneToOneField(
        Instance, on_delete=models.CASCADE, primary_key=True, related_name="envelope"
    )
    data = models.JSONField()

    def __str__(self) -> str:
        return f"envelope of {self.instance_id}"
