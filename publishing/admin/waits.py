"""What waits for money or for an operator, by what would let it go on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Case, Count, Min, Q, Value, When
from django.db.models.fields.json import KT
from django.urls import reverse

from publishing.models import BlockedModel, Cap
from workflows.models import Instance, Reason, Status

_PARKED = Q(status=Status.WAITING, due_at=None)
_CAPS = {
    Cap.Scope.DAY.value: "today’s cap on everything",
    Cap.Scope.BRIEF.value: "the cap of its brief",
    Cap.Scope.STEP.value: "the cap of its step",
}
_OPERATOR = {
    "paid": "an answer that is paid for another request: use it, or regenerate",
    "lost": "answers that were lost three times: regenerate, or retry",
    "other": "what its page says",
}


@dataclass(frozen=True)
class Waits:
    """Instances that wait for the same.

    Attributes:
        what: in words.
        url: of what lets them go on; empty where each is its own case.
        oldest: when the first of them was created.
        resets_at: when they go on by themselves; None where a person has to act.
    """

    what: str
    number: int
    oldest: datetime
    url: str = ""
    resets_at: datetime | None = None


def read_waits() -> list[Waits]:
    """Return what waits for budget and for operators, in groups; both by one partial index."""
    return [*_merged(_for_budget()), *_merged(_for_operators())]


def _for_budget() -> Iterator[Waits]:
    rows = Instance.objects.filter(_PARKED, reason=Reason.BUDGET)
    found = rows.values(
        "partition", cap=KT("error__data__cap"), resets=KT("error__data__resets_at")
    ).annotate(number=Count("pk"), oldest=Min("created_at"))
    for row in found:
        lanes_own = f"today’s cap of the lane {row['partition']}"
        yield Waits(
            what=_CAPS.get(row["cap"], lanes_own),
            number=row["number"],
            oldest=row["oldest"],
            url=reverse("admin:publishing_cap_changelist"),
            resets_at=datetime.fromisoformat(row["resets"]) if row["resets"] else None,
        )


def _for_operators() -> Iterator[Waits]:
    kind = Case(
        When(error__data__has_key="request_hash", then=Value("paid")),
        When(error__data__has_key="lost_sends", then=Value("lost")),
        When(error__data__has_key="model", then=Value("blocked")),
        default=Value("other"),
    )
    rows = Instance.objects.filter(_PARKED, reason=Reason.OPERATOR)
    found = rows.values(kind=kind, model=KT("error__data__model")).annotate(
        number=Count("pk"), oldest=Min("created_at")
    )
    blocked = dict(BlockedModel.objects.values_list("model", "pk"))
    for row in found:
        words, url = _OPERATOR.get(row["kind"], ""), ""
        if row["kind"] == "blocked":
            words = f"{row['model']}, which is blocked: correct its price, and clear it"
        if row["kind"] == "blocked" and row["model"] in blocked:
            url = reverse("admin:publishing_blockedmodel_change", args=[blocked[row["model"]]])
        yield Waits(words, row["number"], row["oldest"], url)


def _merged(found: Iterator[Waits]) -> list[Waits]:
    """Return them with those of the same words as one, the most first."""
    merged: dict[str, Waits] = {}
    for each in found:
        known = merged.get(each.what)
        merged[each.what] = each if known is None else _joined(known, each)
    return sorted(merged.values(), key=lambda each: (-each.number, each.what))


def _joined(one: Waits, other: Waits) -> Waits:
    resets = [at for at in (one.resets_at, other.resets_at) if at]
    return replace(
        one,
        number=one.number + other.number,
        oldest=min(one.oldest, other.oldest),
        resets_at=max(resets, default=None),
    )
