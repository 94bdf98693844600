"""What the admin's front page knows; each part only for those who may see its rows."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Count, Q, Sum
from django.db.models.fields.json import KeyTextTransform
from django.utils import timezone

from publishing.admin.waits import Waits, read_waits
from publishing.ledger.costs import COST
from publishing.models import Call, Cap
from publishing.reviews import waiting_reviews
from workflows.health import Finding, read_health
from workflows.models import Drain, Instance, Reason, Status

SHOWN = 8
NEEDS_PERSON = Q(status=Status.ERRORED) | Q(
    status=Status.WAITING, reason__in=[Reason.OPERATOR, Reason.BUDGET]
)


@dataclass
class Dashboard:
    """The parts of the page; empty where the reader may not see them.

    Attributes:
        counts: open instances by status word.
        reviews: articles that wait for this reader's word.
        spent_micros: since midnight UTC, of `cap_micros` if there is a cap a day.
    """

    sees_instances: bool = False
    needing: list[Instance] = field(default_factory=list)
    needing_count: int = 0
    waits: list[Waits] = field(default_factory=list)
    recent: list[Instance] = field(default_factory=list)
    counts: list[dict[str, Any]] = field(default_factory=list)
    drains: list[Drain] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    reviews: int = 0
    sees_money: bool = False
    spent_micros: int = 0
    held_micros: int = 0
    cap_micros: int | None = None


def read_dashboard(user: AbstractBaseUser | AnonymousUser) -> Dashboard:
    """Return what this user may see of the state of the house."""
    board = Dashboard()
    if _may_see(user, "workflows", "instance"):
        _read_instances(board)
    if _may_review(user):
        board.reviews = waiting_reviews().count()
    if _may_see(user, "publishing", "call"):
        _read_money(board)
    return board


def _read_instances(board: Dashboard) -> None:
    board.sees_instances = True
    rows = Instance.objects.select_related("graph", "brief__lane").defer(
        "brief__payload", "brief__embedding"
    )
    rows = rows.annotate(title=KeyTextTransform("title", "brief__payload"))
    board.needing = list(rows.filter(NEEDS_PERSON).order_by("-id")[:SHOWN])
    board.recent = list(rows.order_by("-id")[:SHOWN])
    counted = {
        row["status"]: row["number"]
        for row in Instance.objects.filter(status__lt=Status.TERMINATED)
        .values("status")
        .annotate(number=Count("id"))
    }
    board.counts = [
        {"status": status.label, "value": status.value, "number": counted.get(status, 0)}
        for status in Status
        if status < Status.TERMINATED
    ]
    board.waits = read_waits()
    board.needing_count = (
        len(board.needing)
        if len(board.needing) < SHOWN
        else Instance.objects.filter(NEEDS_PERSON).count()
    )
    board.findings = read_health().findings
    board.drains = list(
        Drain.objects.filter(ended_at=None, lease_until__gt=timezone.now()).order_by("id")
    )


def _read_money(board: Dashboard) -> None:
    board.sees_money = True
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    today = Call.objects.filter(created_at__gte=midnight).aggregate(
        spent=Sum(COST), held=Sum("held_micros", filter=Q(state=Call.State.HELD))
    )
    board.spent_micros, board.held_micros = today["spent"] or 0, today["held"] or 0
    cap = Cap.objects.filter(scope="day", name="").first()
    board.cap_micros = cap.cap_micros if cap else None


def _may_review(user: Any) -> bool:
    return bool(user.has_perm("publishing.approve_article"))


def _may_see(user: Any, app: str, model: str) -> bool:
    return any(user.has_perm(f"{app}.{verb}_{model}") for verb in ("view", "change"))
