"""What was paid, added up: a call with a lost answer counts in full, an open one not yet."""

from django.db.models import BigIntegerField, Case, F, OuterRef, Subquery, Sum, When
from django.db.models.functions import Coalesce

from publishing.models import Call

COST = Case(
    When(state=Call.State.SETTLED, then=Coalesce("cost_micros", 0)),
    When(state=Call.State.UNKNOWN, then=Coalesce("cost_micros", F("held_micros"))),
    default=0,
    output_field=BigIntegerField(),
)


def cost_of_brief(reference: str) -> Coalesce:
    """Return an annotation: the cost of the brief whose ID is in the referenced column."""
    sums = Call.objects.filter(brief_id=OuterRef(reference)).order_by().values("brief_id")
    return Coalesce(Subquery(sums.annotate(cost=Sum(COST)).values("cost")), 0)


def costs_by_entry(brief_id: str) -> dict[str, int]:
    """Return micro-dollars by the graph entry that paid."""
    sums = Call.objects.filter(brief_id=brief_id).values("entry").annotate(cost=Sum(COST))
    return {row["entry"]: int(row["cost"]) for row in sums}
