"""The caps that a call counts against, and why one refuses it.

Buckets are always locked in the order of `SCOPES`: a call's own first, the one that all share
last. So two callers never wait for each other in a ring, and who is refused by a cap of its own
never waits for a lock that others hold.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from publishing.ledger.errors import MissingCapError, OverCapError
from publishing.ledger.keys import PaidCall
from publishing.models import Bucket, Cap
from workflows.errors import Park

# Holds of one text call settle within minutes; spread, so that what waits does not return at once.
BUSY_SECONDS = (5, 60)
SCOPES = (Cap.Scope.STEP, Cap.Scope.BRIEF, Cap.Scope.LANE_DAY, Cap.Scope.DAY)

_DAILY = frozenset({Cap.Scope.LANE_DAY, Cap.Scope.DAY})
_KEY_LENGTH = 140  # of a bucket; entries' names are nearly always short enough

Caps = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Payer:
    """Whose money is asked for: what names the buckets."""

    brief_id: str
    entry: str
    regeneration: int
    lane: str


@dataclass(frozen=True)
class Limit:
    """A cap as it is in force now, and the bucket that it bounds."""

    scope: str
    bucket: str
    cap_micros: int


@dataclass(frozen=True)
class Refusal:
    """A bucket in which a call has no room."""

    limit: Limit
    spent_micros: int
    held_micros: int

    @property
    def left_micros(self) -> int:
        """What is neither spent nor held; a cap that was lowered leaves nothing."""
        return max(0, self.limit.cap_micros - self.spent_micros - self.held_micros)


def payer_of(call: PaidCall) -> Payer:
    """Return whose money the call asks for."""
    return Payer(call.brief_id, call.entry, call.regeneration, call.lane)


def read_caps() -> dict[tuple[str, str], int]:
    """Return every cap by scope and name; an edit of a cap acts at once."""
    return {
        (scope, name): cap_micros
        for scope, name, cap_micros in Cap.objects.values_list("scope", "name", "cap_micros")
    }


def cap_for(caps: Caps, scope: str, lane: str) -> int:
    """Return the cap of a scope for a lane: its own, where that is the lower one.

    Raises:
        MissingCapError: the scope has no cap.
    """
    if (scope, "") not in caps:
        raise MissingCapError(f"there is no cap of the scope {str(scope)!r}; add one in the admin")
    general = caps[scope, ""]
    return min(general, caps.get((scope, lane), general))


def brief_cap_of(lane: str) -> int:
    """Return the most that one brief of the lane may cost as the caps are now.

    Raises:
        MissingCapError: there is no cap on briefs.
    """
    return cap_for(read_caps(), Cap.Scope.BRIEF, lane)


def limits_for(payer: Payer, today: date, caps: Caps) -> list[Limit]:
    """Return the buckets that bound the payer, in the order in which they are locked.

    Raises:
        MissingCapError: a scope has no cap.
    """
    buckets = {
        Cap.Scope.STEP: _step_bucket(payer),
        Cap.Scope.BRIEF: f"brief:{payer.brief_id}",
        Cap.Scope.LANE_DAY: f"lane-day:{payer.lane}:{today}",
        Cap.Scope.DAY: f"day:{today}",
    }
    return [
        Limit(scope.value, buckets[scope], cap_for(caps, scope, payer.lane)) for scope in SCOPES
    ]


def refuse_impossible(
    call: PaidCall, asked_micros: int, limits: Sequence[Limit], caps: Caps
) -> None:
    """Raise OverCapError for a call that would not even fit into empty buckets."""
    of_call = Limit(Cap.Scope.CALL.value, "", cap_for(caps, Cap.Scope.CALL, call.lane))
    for limit in (of_call, *limits):
        if asked_micros > limit.cap_micros:
            raise OverCapError(
                f"{call.key} may cost {asked_micros} micro-dollars, more than the whole cap of "
                f"its {limit.scope} ({limit.cap_micros}); raise the cap, or ask for less",
                data={"asked_micros": asked_micros, "cap": limit.scope}
                | {"cap_micros": limit.cap_micros},
            )


def look_for_room(limits: Sequence[Limit], asked_micros: int) -> list[Refusal]:
    """Return the buckets that have no room as they stand, without a lock.

    What is spent never falls, so a refusal for what is spent is final; one for what is held is
    asked again. Only the conditional update admits a call.
    """
    found = {
        key: (spent, held)
        for key, spent, held in Bucket.objects.filter(
            key__in=[limit.bucket for limit in limits]
        ).values_list("key", "spent_micros", "held_micros")
    }
    refusals = [Refusal(limit, *found.get(limit.bucket, (0, 0))) for limit in limits]
    return [each for each in refusals if _used(each) + asked_micros > each.limit.cap_micros]


def park(call: PaidCall, asked_micros: int, refusals: Sequence[Refusal], now: datetime) -> Park:
    """Return how the call waits: `busy` if open holds alone are in its way, else `budget`.

    Who waits for `budget` is woken by `publishing.ledger.waking`, oldest first and only as many
    as fit; so it names no moment.
    """
    spent = [r for r in refusals if r.spent_micros + asked_micros > r.limit.cap_micros]
    if not spent:
        return Park(
            "busy",
            f"{call.key} waits for calls under way to settle",
            until=now + timedelta(seconds=random.uniform(*BUSY_SECONDS)),  # noqa: S311 - no secret
            data=_data(call, asked_micros, refusals[0], resets_at=None),
        )
    # In the order of the scopes: a step's and a brief's cap never reset, so they are named first.
    hit = spent[0]
    resets_at = next_midnight(now) if hit.limit.scope in _DAILY else None
    return Park(
        "budget",
        f"{call.key} may cost {asked_micros} micro-dollars; the cap of its {hit.limit.scope} "
        f"has {hit.left_micros} micro-dollars left",
        data=_data(call, asked_micros, hit, resets_at=resets_at),
    )


def next_midnight(now: datetime) -> datetime:
    """Return when the caps of a day begin anew, in UTC."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), tzinfo=UTC)


def _step_bucket(payer: Payer) -> str:
    """Name the bucket of one entry of one brief; a regeneration has a step's cap of its own."""
    raised = f"/{payer.regeneration}" if payer.regeneration else ""
    key = f"step:{payer.brief_id}/{payer.entry}{raised}"
    if len(key) <= _KEY_LENGTH:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:40]
    return f"step:{payer.brief_id}/{digest}"


def _used(refusal: Refusal) -> int:
    return refusal.spent_micros + refusal.held_micros


def _data(
    call: PaidCall, asked_micros: int, refusal: Refusal, *, resets_at: datetime | None
) -> dict[str, Any]:
    return {
        "asked_micros": asked_micros,
        "left_micros": refusal.left_micros,
        "cap": refusal.limit.scope,
        "bucket": refusal.limit.bucket,
        "cap_micros": refusal.limit.cap_micros,
        "spent_micros": refusal.spent_micros,
        "held_micros": refusal.held_micros,
        "resets_at": resets_at.isoformat() if resets_at else None,
        "brief_id": call.brief_id,
        "entry": call.entry,
        "regeneration": call.regeneration,
        "lane": call.lane,
    }
