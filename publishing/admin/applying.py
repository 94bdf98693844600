"""Which verbs apply to which instances, as conditions that one row and a million share.

They decide what is offered and what a confirmation counts. Whether a verb is taken is decided by
the verb itself, in one conditional statement.
"""

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q
from django.db.models.functions import Now

from workflows.models import Instance, Reason, Status, StepRecord

_KEPT = Q(pruned_at=None)
_OPEN = _KEPT & Q(status__lt=Status.ERRORED)
_LONELY = Q(reason__in=[Reason.SLEEP, Reason.EVENT])  # its time or its event ends it, no retry
_STANDS = ~Q(status__in=[Status.RUNNING, Status.COMPLETE, Status.TERMINATED])


def applies_to_retry() -> Q:
    """Match what failed, and what waits for something that a retry cuts short."""
    waits = Q(status=Status.WAITING) & ~_LONELY & (Q(due_at=None) | Q(due_at__gt=Now()))
    return _KEPT & (Q(status=Status.ERRORED) | waits)


def applies_to_pause() -> Q:
    """Match what is open and neither paused nor about to be."""
    return _OPEN & ~Q(status=Status.PAUSED) & Q(pause_requested=False)


def applies_to_resume() -> Q:
    """Match what is paused or about to be."""
    return _KEPT & (Q(status=Status.PAUSED) | Q(pause_requested=True))


def applies_to_event() -> Q:
    """Match what is open."""
    return _OPEN


def applies_to_replacement() -> Q:
    """Match what stands still, can go on, and has a finished entry."""
    finished = StepRecord.objects.filter(instance=OuterRef("pk"), superseded=False)
    return _KEPT & _STANDS & Q(Exists(finished))


def applies_to_restart() -> Q:
    """Match everything that is kept."""
    return _KEPT


def applies_to_regenerate() -> Q:
    """Match briefs' instances of which anything was done."""
    return _KEPT & Q(brief__isnull=False) & Q(position__gt=0)


def applies_to_paid_answer() -> Q:
    """Match what waits with an answer that was paid for another request."""
    waits = Q(status=Status.WAITING, reason=Reason.OPERATOR)
    return _KEPT & waits & Q(error__data__has_keys=["call", "request_hash"])


def applies_to_terminate() -> Q:
    """Match what has not ended for good."""
    return _KEPT & ~Q(status__in=[Status.COMPLETE, Status.TERMINATED])


APPLIES = {
    "retry": applies_to_retry,
    "resume": applies_to_resume,
    "pause": applies_to_pause,
    "send-event": applies_to_event,
    "replace-output": applies_to_replacement,
    "restart": applies_to_restart,
    "regenerate": applies_to_regenerate,
    "use-paid-answer": applies_to_paid_answer,
    "terminate": applies_to_terminate,
}


def verbs_for(instance: Instance) -> set[str]:
    """Return the names of the verbs that apply to the instance now."""
    asked = {
        f"applies_{number}": ExpressionWrapper(applies(), output_field=BooleanField())
        for number, applies in enumerate(APPLIES.values())
    }
    found = Instance.objects.filter(pk=instance.pk).annotate(**asked).values_list(*asked).first()
    return {name for name, fits in zip(APPLIES, found or (), strict=False) if fits}
