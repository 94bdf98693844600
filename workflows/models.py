"""The rows of the engine: what runs, what is recorded, who runs it.

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
    trigger = models.CharField(max_length=12)
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
                condition=Q(reason__isnull=True) | Q(status=Status.WAITING),
                name="workflows_instance_reason_only_waiting",
            ),
            models.CheckConstraint(
                condition=Q(owner__isnull=True) | Q(status=Status.RUNNING),
                name="workflows_instance_owner_only_running",
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
                condition=Q(status=Status.ERRORED) | Q(reason__in=[Reason.OPERATOR, Reason.BUDGET]),
                name="workflows_needs_person",
            ),
            models.Index(
                fields=["id"], condition=Q(reason=Reason.CODE), name="workflows_wait_for_code"
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


class StepRecord(models.Model):
    """The stored outcome of a finished entry, and the attempt that finished it."""

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="records")
    generation = models.PositiveSmallIntegerField()
    position = models.PositiveSmallIntegerField()
    entry = models.CharField(max_length=60)
    attempt = models.PositiveIntegerField()
    output = models.JSONField()
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
    sent_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True, blank=True)

    class Meta:
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


class Limit(models.Model):
    """How many instances may run at once: in a partition, or in all (partition '*')."""

    partition = models.CharField(max_length=60, unique=True)
    max_running = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.partition}: {self.max_running}"
