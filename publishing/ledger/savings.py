"""What was not paid: answers served again, and duplicates that were absorbed.

None of it is money that left or came back. An answer served again would have cost its recorded
cost; a duplicate would have cost what the article did that it would have repeated.
"""

from dataclasses import dataclass

from django.db.models import BigIntegerField, Count, F, Q, Sum
from django.db.models.functions import Coalesce

from publishing.ledger.costs import cost_of_brief
from publishing.ledger.spend import SpendFilter, Sums
from publishing.models import Brief


@dataclass(frozen=True)
class Savings:
    """What would have been paid once more; both amounts are what it *would have cost*.

    Attributes:
        served: how often a paid answer was served again, of the calls in the span.
        duplicates: posts of a brief that was there already, of briefs made in the span.
        briefs: how many were posted again.
    """

    served: int
    served_micros: int
    duplicates: int
    duplicates_micros: int
    briefs: int

    @property
    def would_have_cost_micros(self) -> int:
        """Both together; never to be mixed with what was paid."""
        return self.served_micros + self.duplicates_micros


def read_savings(asked: SpendFilter, sums: Sums) -> Savings:
    """Return what was not paid for the calls and briefs that the filter finds.

    Args:
        asked: which.
        sums: of all calls that it finds.
    """
    repeated = Brief.objects.filter(_narrowed(asked), duplicates__gt=0).annotate(
        cost=cost_of_brief("brief_id")
    )
    found = repeated.aggregate(
        posts=Coalesce(Sum("duplicates"), 0),
        micros=Coalesce(Sum(F("duplicates") * F("cost"), output_field=BigIntegerField()), 0),
        briefs=Count("pk"),
    )
    return Savings(
        served=sums.served,
        served_micros=sums.saved_micros,
        duplicates=int(found["posts"]),
        duplicates_micros=int(found["micros"]),
        briefs=int(found["briefs"]),
    )


def _narrowed(asked: SpendFilter) -> Q:
    """Return which briefs; a step or a model says nothing about who posted again."""
    found = Q(created_at__gte=asked.since, created_at__lt=asked.until)
    if asked.lane:
        found &= Q(lane__name=asked.lane)
    if asked.brief_id:
        found &= Q(brief_id=asked.brief_id)
    return found
