"""The caps that a call counts against, and why one refuses it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from publishing.ledger.errors import MissingCapError, OverCapError
from publishing.ledger.keys import PaidCall
from publishing.models import Cap
from workflows.errors import Park

# Holds of one text call settle within minutes; spread, so that what waits does not return at once.
BUSY_SECONDS = (5, 60)
# The same, after midnight: a whole day's briefs may wait for it.
AFTER_MIDNIGHT_SECONDS = (0, 300)


@dataclass(frozen=True)
class Limit:
    """A cap as it is in force now, and the bucket that it bounds."""

    scope: str
    bucket: str
    cap_micros: int


@dataclass(frozen=True)
class Refusal:
    """A bucket, locked, in which a call has no room."""

    limit: Limit
    spent_micros: int
    held_micros: int

    @property
    def left_micros(self) -> int:
        """What is neither spent nor held; a cap that was lowered leaves nothing."""
        return max(0, self.limit.cap_micros - self.spent_micros - self.held_micros)


def limits_for(call: PaidCall, today: date) -> list[Limit]:
    """Return the caps that bound a call, by bucket key; an edit of a cap acts at once.

    Raises:
        MissingCapError: a scope has no cap.
    """
    buckets = {"brief": f"brief:{call.brief_id}", "day": f"day:{today}"}
    caps = dict(Cap.objects.filter(scope__in=buckets, name="").values_list("scope", "cap_micros"))
    for scope in buckets.keys() - caps.keys():
        raise MissingCapError(f"there is no cap of the scope {scope!r}; add one in the admin")
    limits = [Limit(scope, bucket, caps[scope]) for scope, bucket in buckets.items()]
    return sorted(limits, key=lambda limit: limit.bucket)


def refuse_impossible(call: PaidCall, asked_micros: int, limits: Sequence[Limit]) -> None:
    """Raise OverCapError for a call that would not even fit into an empty bucket."""
    for limit in limits:
        if asked_micros > limit.cap_micros:
            raise OverCapError(
                f"{call.key} may cost {asked_micros} micro-dollars, more than the whole cap of "
                f"its {limit.scope} ({limit.cap_micros}); raise the cap, or ask for less",
                data={"asked_micros": asked_micros, "cap": limit.scope}
                | {"cap_micros": limit.cap_micros},
            )


def park(call: PaidCall, asked_micros: int, refusals: Sequence[Refusal], now: datetime) -> Park:
    """Return how the call waits: `busy` if open holds alone are in its way, else `budget`."""
    spent = [r for r in refusals if r.spent_micros + asked_micros > r.limit.cap_micros]
    if not spent:
        return Park(
            "busy",
            f"{call.key} waits for calls under way to settle",
            until=now + _spread(BUSY_SECONDS),
            data=_data(asked_micros, refusals[0], resets_at=None),
        )
    # A brief's cap never resets, so it is the one to name where a day's is spent too.
    hit = min(spent, key=lambda refusal: refusal.limit.scope == "day")
    resets_at = _next_midnight(hit.limit.bucket) if hit.limit.scope == "day" else None
    return Park(
        "budget",
        f"{call.key} may cost {asked_micros} micro-dollars; the cap of its {hit.limit.scope} "
        f"has {hit.left_micros} left",
        until=resets_at and resets_at + _spread(AFTER_MIDNIGHT_SECONDS),
        data=_data(asked_micros, hit, resets_at=resets_at),
    )


def _spread(seconds: tuple[int, int]) -> timedelta:
    return timedelta(seconds=random.uniform(*seconds))  # noqa: S311 - spreads load, no secret


def _next_midnight(bucket: str) -> datetime:
    today = date.fromisoformat(bucket.removeprefix("day:"))
    return datetime.combine(today + timedelta(days=1), time(), tzinfo=UTC)


def _data(asked_micros: int, refusal: Refusal, *, resets_at: datetime | None) -> dict[str, Any]:
    return {
        "asked_micros": asked_micros,
        "left_micros": refusal.left_micros,
        "cap": refusal.limit.scope,
        "bucket": refusal.limit.bucket,
        "cap_micros": refusal.limit.cap_micros,
        "spent_micros": refusal.spent_micros,
        "held_micros": refusal.held_micros,
        "resets_at": resets_at.isoformat() if resets_at else None,
    }
