"""Whether today's money is spent, as senders are told it; the ledger is what holds."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import connection

# The cap may have been edited since the day's bucket was made; there may be no bucket yet.
_TODAY = """
select coalesce((select cap_micros from publishing_cap where scope = 'day' and name = ''),
        b.cap_micros),
    coalesce(b.spent_micros + b.held_micros, 0)
from (select %s as key) as today left join publishing_bucket as b using (key)
"""


@dataclass(frozen=True)
class SpentBudget:
    """Today's cap on everything has nothing left.

    Attributes:
        resets_at: the next midnight in UTC.
    """

    cap_micros: int
    spent_micros: int
    resets_at: datetime

    def as_json(self) -> dict[str, Any]:
        """Return it as it stands in answers."""
        return {
            "cap": "day",
            "cap_micros": self.cap_micros,
            "spent_micros": self.spent_micros,
            "resets_at": self.resets_at.isoformat().replace("+00:00", "Z"),
        }


def find_spent_budget(now: datetime) -> SpentBudget | None:
    """Return today's budget if it is spent, holds of open calls included; else None."""
    today = now.astimezone(UTC).date()
    with connection.cursor() as cursor:
        cursor.execute(_TODAY, [f"day:{today}"])
        cap_micros, used = cursor.fetchone()
    if cap_micros is None or used < cap_micros:
        return None
    return SpentBudget(
        cap_micros=cap_micros,
        spent_micros=used,
        resets_at=datetime.combine(today + timedelta(days=1), time(), tzinfo=UTC),
    )
