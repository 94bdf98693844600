"""Wake what waits for `budget` once there is room: oldest first, and only as many as fit.

Room is made by a settle or release below its hold, a raised cap, and a new day; this looks for
it, so that it need not be told. What was woken and has not asked yet is counted as if it held.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from publishing.ledger.caps import Caps, Limit, Payer, limits_for, read_caps
from publishing.models import Bucket
from workflows.models import Rank, Reason, Status

logger = logging.getLogger(__name__)

# At most 200 a second, by moments this far apart, whichever host wakes them.
PACE = timedelta(milliseconds=5)
AT_ONCE = 200

_LOCK = 7_305_101  # pg_try_advisory_xact_lock: one host wakes at a time
_PAGE = 500


@dataclass(frozen=True)
class Waiting:
    """An instance that waits for room, or was just given it."""

    instance: int
    asked_micros: int
    payer: Payer


class Room:
    """What is left in each bucket, less what is given away; a bucket that refused is closed.

    A bucket closes with the first that does not fit, so that a small request never overtakes a
    large one for ever.
    """

    def __init__(self, now: datetime, caps: Caps) -> None:
        self._today = now.date()
        self._caps = caps
        self._used: dict[str, int] = {}
        self._given: defaultdict[str, int] = defaultdict(int)
        self._closed: set[str] = set()

    def read(self, waiting: Sequence[Waiting]) -> None:
        """Read the buckets of these, as they stand."""
        keys = {limit.bucket for each in waiting for limit in self._limits(each)}
        for key, spent, held in Bucket.objects.filter(key__in=keys - self._used.keys()).values_list(
            "key", "spent_micros", "held_micros"
        ):
            self._used[key] = spent + held

    def give(self, waiting: Waiting) -> None:
        """Count what was given earlier and has not been asked for yet."""
        for limit in self._limits(waiting):
            self._given[limit.bucket] += waiting.asked_micros

    def take(self, waiting: Waiting) -> bool:
        """Give the instance its room, if every bucket has it."""
        limits = self._limits(waiting)
        if any(waiting.asked_micros > limit.cap_micros for limit in limits):
            return False  # no room will ever be enough; it must not close the way for others
        for limit in limits:
            if limit.bucket in self._closed:
                return False
            if self._left(limit) < waiting.asked_micros:
                self._closed.add(limit.bucket)
                return False
        self.give(waiting)
        return True

    @property
    def is_closed(self) -> bool:
        """Whether nobody at all can be given anything."""
        return f"day:{self._today}" in self._closed

    @property
    def closed_lanes(self) -> list[str]:
        """The lanes whose day has no room."""
        return [key.split(":")[1] for key in self._closed if key.startswith("lane-day:")]

    def _left(self, limit: Limit) -> int:
        used = self._used.get(limit.bucket, 0) + self._given[limit.bucket]
        return limit.cap_micros - used

    def _limits(self, waiting: Waiting) -> list[Limit]:
        return limits_for(waiting.payer, self._today, self._caps)


def wake_what_fits() -> int:
    """Make the oldest that fit due, with the rank of new ones; return how many.

    Safe on any number of hosts at once: one wakes, the others return.
    """
    if not _rows(_ANY_PARKED):
        return 0
    with transaction.atomic():
        if not _rows("select pg_try_advisory_xact_lock(%(lock)s)", lock=_LOCK)[0][0]:
            return 0
        ((now,),) = _rows("select now()")
        room = Room(now, read_caps())
        woken = _parse(_rows(_WOKEN))
        started = _parse(_rows(_STARTED))
        room.read([*woken, *started])
        for each in (*woken, *started):
            room.give(each)
        fitting = _find_fitting(room, AT_ONCE - len(woken))
        if fitting:
            _rows(_WAKE, instances=fitting, pace=PACE)
    if fitting:
        logger.info("woke %s that waited for budget: their caps have room again", len(fitting))
    return len(fitting)


def _find_fitting(room: Room, most: int) -> list[int]:
    fitting: list[int] = []
    for waiting in _parked(room):
        if len(fitting) >= most or room.is_closed:
            break
        if room.take(waiting):
            fitting.append(waiting.instance)
    return fitting


def _parked(room: Room) -> Iterator[Waiting]:
    """Yield who waits, oldest first, without the lanes that were found closed meanwhile."""
    after = 0
    while page := _parse(_rows(_PARKED, after=after, closed=room.closed_lanes, most=_PAGE)):
        room.read(page)
        yield from page
        after = page[-1].instance


def _parse(rows: Sequence[tuple[Any, ...]]) -> list[Waiting]:
    return [_waiting(instance, json.loads(data)) for instance, data in rows]


def _waiting(instance: int, data: Mapping[str, Any]) -> Waiting:
    return Waiting(
        instance=instance,
        asked_micros=int(data["asked_micros"]),
        payer=Payer(
            brief_id=str(data["brief_id"]),
            entry=str(data["entry"]),
            regeneration=int(data["regeneration"]),
            lane=str(data["lane"]),
        ),
    )


def _rows(statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall()) if cursor.description else []


# What parked for another reason of its own under this word has no such data, and is left alone.
_ASKS = "error -> 'data' ?& array['asked_micros', 'brief_id', 'entry', 'regeneration', 'lane']"

# Both conditions stand as the partial index workflows_needs_person has them.
_IS_WAITING = f"status = {Status.WAITING:d} and reason = '{Reason.BUDGET}'"

_ANY_PARKED = f"""
select 1 from workflows_instance where {_IS_WAITING} and due_at is null order by id limit 1
"""  # noqa: S608 - made of constants

_PARKED = f"""
select id, (error -> 'data')::text from workflows_instance
where {_IS_WAITING} and due_at is null and id > %(after)s
    and partition <> all(%(closed)s::text[]) and {_ASKS}
order by id limit %(most)s
"""  # noqa: S608 - made of constants

_WOKEN = f"""
select id, (error -> 'data')::text from workflows_instance
where {_IS_WAITING} and due_at is not null and {_ASKS}
order by id
"""  # noqa: S608 - made of constants

# Claimed since, and on the way to its reserve: once it holds, the bucket itself counts it.
_STARTED = f"""
select i.id, (i.error -> 'data')::text from workflows_instance as i
where i.status = {Status.RUNNING:d} and i.{_ASKS} and not exists (
    select 1 from publishing_call as c
    where c.brief_id = i.error -> 'data' ->> 'brief_id'
        and c.entry = i.error -> 'data' ->> 'entry' and c.created_at >= i.attempt_started_at)
"""  # noqa: S608 - made of constants

_WAKE = f"""
with begun as (
    select greatest(clock_timestamp(), max(due_at) + %(pace)s) as at
    from workflows_instance where {_IS_WAITING} and due_at is not null
), turns as (
    select want.id, begun.at + (want.place - 1) * %(pace)s::interval as at
    from begun cross join unnest(%(instances)s::bigint[]) with ordinality as want (id, place)
)
update workflows_instance as i
set due_at = turns.at, wake_at = turns.at,
    rank = case when i.crashes > 0 then {Rank.SUSPECT:d} else {Rank.NEW:d} end
from turns
where i.id = turns.id and {_IS_WAITING} and due_at is null
"""  # noqa: S608 - made of constants
