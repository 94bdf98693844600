"""What each cap in force has spent, held and left now."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from lanes.models import Lane
from publishing.ledger.caps import Caps, cap_for, next_midnight, read_caps
from publishing.models import Bucket, Cap

FULLEST = 20


@dataclass(frozen=True)
class Standing:
    """A cap and its bucket.

    Attributes:
        bucket: its key; empty for a cap that bounds each call by itself.
        left_micros: what is neither spent nor held; 0 where the cap was lowered below that.
        resets_at: the next midnight in UTC, of a day's; None of the others.
    """

    scope: str
    name: str
    bucket: str
    cap_micros: int
    spent_micros: int = 0
    held_micros: int = 0
    resets_at: datetime | None = None

    @property
    def left_micros(self) -> int:
        """What another call may still hold."""
        return max(0, self.cap_micros - self.spent_micros - self.held_micros)


def read_standings(now: datetime, *, fullest: int = FULLEST) -> list[Standing]:
    """Return the caps in force: everything today, each lane today, a brief, a step, a call.

    Of briefs and steps those with calls since midnight are named that are fullest, up to
    `fullest` of each, after the cap itself.

    Raises:
        MissingCapError: a scope has no cap.
    """
    caps, today = read_caps(), now.astimezone(UTC).date()
    resets_at = next_midnight(now)
    everything = Standing("day", "", f"day:{today}", cap_for(caps, "day", ""), resets_at=resets_at)
    lanes = [
        Standing(
            "lane-day", lane, f"lane-day:{lane}:{today}", cap_for(caps, "lane-day", lane),
            resets_at=resets_at,
        )
        for lane in Lane.objects.order_by("place", "name").values_list("name", flat=True)
    ]  # fmt: skip
    daily = _filled([everything, *lanes])
    return [*daily, *_own(caps, now, fullest), Standing("call", "", "", cap_for(caps, "call", ""))]


def _filled(standings: list[Standing]) -> list[Standing]:
    """Return them with what their buckets hold; a bucket is made by its first call."""
    rows = Bucket.objects.in_bulk([standing.bucket for standing in standings])
    return [
        Standing(
            each.scope, each.name, each.bucket, each.cap_micros,
            spent_micros=rows[each.bucket].spent_micros,
            held_micros=rows[each.bucket].held_micros,
            resets_at=each.resets_at,
        )
        if each.bucket in rows
        else each
        for each in standings
    ]  # fmt: skip


def _own(caps: Caps, now: datetime, fullest: int) -> Iterator[Standing]:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for scope in (Cap.Scope.BRIEF.value, Cap.Scope.STEP.value):
        yield Standing(scope, "", "", cap_for(caps, scope, ""))
        with connection.cursor() as cursor:
            cursor.execute(_FULLEST, [midnight, f"{scope}:", fullest])
            for key, lane, spent, held in cursor.fetchall():
                cap = cap_for(caps, scope, lane)
                yield Standing(scope, key.removeprefix(f"{scope}:"), key, cap, spent, held)


_FULLEST = """
with named as (
    select distinct counted.bucket, c.lane
    from publishing_call as c, jsonb_array_elements_text(c.buckets) as counted (bucket)
    where c.created_at >= %s and starts_with(counted.bucket, %s)
)
select b.key, named.lane, b.spent_micros, b.held_micros
from named join publishing_bucket as b on b.key = named.bucket
where b.spent_micros + b.held_micros > 0
order by b.spent_micros + b.held_micros desc, b.key
limit %s
"""
