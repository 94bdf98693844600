"""What may be spent, and every paid call."""

from django.db import models
from django.db.models import Q


class Cap(models.Model):
    """The most that may be spent in one bucket of a scope; edited in the admin.

    A cap with an empty name holds for all of its scope; a lane's own, under its name, may only be
    lower. `call` and `step` bound what one call, and one entry of a brief, may cost.
    """

    class Scope(models.TextChoices):
        """What a cap bounds; days are between two midnights in UTC."""

        CALL = "call"
        STEP = "step"
        BRIEF = "brief"
        LANE_DAY = "lane-day", "lane and day"
        DAY = "day"

    scope = models.CharField(max_length=10, choices=Scope)
    name = models.CharField(
        max_length=60, blank=True, help_text="A lane's name for a lower cap of its own, or empty."
    )
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
    provider = models.CharField(max_length=20)
    bundle = models.PositiveIntegerField(
        null=True, blank=True, help_text="The bundle version that it was written under."
    )
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
    custom_id = models.CharField(
        max_length=64, blank=True, help_text="By which an order at half price is found again."
    )
    batch = models.CharField(max_length=100, blank=True, help_text="The vendor's number of it.")
    awaits_batch = models.BooleanField(
        default=False, help_text="Until the vendor has said how the order ended."
    )
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
            models.Index(fields=["created_at"], name="publishing_calls_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.key} ({self.state})"


class BlockedModel(models.Model):
    """A model that billed more than its hold: nothing is sent to it until an operator clears it."""

    model = models.CharField(max_length=80, unique=True)
    call = models.ForeignKey(Call, on_delete=models.PROTECT, related_name="+")
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.model}, since call {self.call_id}"


class ClearedBlock(models.Model):
    """That an operator let a blocked model be asked again: who, when, and why."""

    model = models.CharField(max_length=80)
    call = models.ForeignKey(Call, on_delete=models.PROTECT, related_name="+")
    since = models.DateTimeField()
    cleared_at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=150)
    why = models.TextField()

    def __str__(self) -> str:
        return f"{self.model}, blocked by call {self.call_id}, cleared by {self.actor}"


class Regeneration(models.Model):
    """A person's wish to pay again, from an entry of a brief on; it raises the calls' number."""

    brief_id = models.CharField(max_length=92)
    entry = models.CharField(max_length=60)
    number = models.PositiveSmallIntegerField()
    actor = models.CharField(max_length=150)
    why = models.TextField()
    worst_micros = models.PositiveBigIntegerField()
    bundle = models.PositiveIntegerField(null=True, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["brief_id", "number"], name="publishing_regeneration_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"regeneration {self.number} of {self.brief_id} from {self.entry}"
