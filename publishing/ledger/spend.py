"""What was spent: sums by lane, step, bundle, model, day or brief, and the calls themselves.

Every sum is bounded by two moments and reads only the calls between them, by the index on
`created_at`. A call counts on the UTC day on which it was reserved, as it does against the caps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from publishing.ledger.tokens import sql_tokens, tokens_of
from publishing.models import Call

LONGEST = timedelta(days=366)
USUAL = timedelta(days=30)
GROUPS_MAX = 1_000
CALLS_MAX = 1_000


class SpendFilterError(ValueError):
    """What was asked for cannot be answered; the message says what can."""


@dataclass(frozen=True)
class SpendFilter:
    """Which calls: those reserved from `since` on and before `until`; empty does not narrow."""

    since: datetime
    until: datetime
    lane: str = ""
    entry: str = ""
    model: str = ""
    brief_id: str = ""

    @classmethod
    def parse(
        cls, *, since: str = "", until: str = "", now: datetime, **narrowed: str
    ) -> "SpendFilter":
        """Return the filter of what a person typed: days or moments of ISO 8601, UTC.

        Without `since` it is the last 30 days, today included; a day as `until` is included.

        Raises:
            SpendFilterError: a moment cannot be read, or the span is empty or above 366 days.
        """
        tomorrow = _midnight(now) + timedelta(days=1)
        ends = _read_moment("until", until, days=1) if until else tomorrow
        begins = _read_moment("since", since, days=0) if since else ends - USUAL
        if not begins < ends:
            raise SpendFilterError(f"since ({begins:%F %T}) is not before until ({ends:%F %T})")
        if ends - begins > LONGEST:
            raise SpendFilterError(f"the span is longer than {LONGEST.days} days; ask for less")
        return cls(since=begins, until=ends, **narrowed)

    def as_json(self) -> dict[str, Any]:
        """Return what narrows, as JSON."""
        said = {name: value for name, value in asdict(self).items() if value}
        return said | {"since": stamp(self.since), "until": stamp(self.until)}

    @property
    def calls(self) -> QuerySet[Call]:
        """The calls, in no order."""
        exact = {
            name: value
            for name in ("lane", "entry", "model", "brief_id")
            if (value := getattr(self, name))
        }
        return Call.objects.filter(created_at__gte=self.since, created_at__lt=self.until, **exact)


@dataclass(frozen=True)
class Sums:
    """What calls came to.

    Attributes:
        name: the group's, by what was asked for; empty for all.
        calls: all of them, those that were never sent too.
        paid: settled, or lost and counted in full.
        cost_micros: of the paid ones; `lost_micros` of it brought no answer.
        held_micros: of those still open.
        input_tokens: read, written and uncached together; `cached_tokens` of it were read cheaply.
        served: how often a stored answer was served instead of another paid call.
        saved_micros: what those would have cost again, at their recorded cost; not real money.
    """

    name: str
    calls: int
    paid: int
    cost_micros: int
    lost_micros: int
    held_micros: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    served: int
    saved_micros: int


@dataclass(frozen=True)
class Page:
    """Some calls, newest first, and the cursor of those after them; None where there are none."""

    calls: list[dict[str, Any]]
    after: int | None


def sum_spend(asked: SpendFilter, *, by: str = "") -> list[Sums]:
    """Return the sums of each group, the dearest first; days and nothing in their own order.

    Args:
        asked: which calls.
        by: of `GROUPS`; empty for one row of all.

    Raises:
        SpendFilterError: nothing is grouped by that.
    """
    if by and by not in GROUPS:
        raise SpendFilterError(f"nothing is summed by {by!r}; it is one of {', '.join(GROUPS)}")
    found = sum_spend_by_each(asked, [by])[by]
    return found or ([] if by else [Sums("", *[0] * 10)])


def sum_spend_by_each(asked: SpendFilter, groups: Sequence[str]) -> dict[str, list[Sums]]:
    """Return the sums by each of several things; the calls are read once for all of them."""
    keys = [f"({GROUPS[by]})" if by else "()" for by in groups]
    number = " ".join(
        f"when grouping({GROUPS[by]}) = 0 then {at}" for at, by in enumerate(groups) if by
    )
    name = " ".join(f"when grouping({GROUPS[by]}) = 0 then {GROUPS[by]}" for by in groups if by)
    inner, parameters = asked.calls.order_by().values(*_READ).query.sql_with_params()
    statement = _SUMS.format(
        calls=inner,
        sets=", ".join(keys),
        number=f"case {number} else {groups.index('') if '' in groups else 0} end" if number else 0,
        name=f"case {name} else '' end" if name else "''",
        most=GROUPS_MAX,
    )
    sums: dict[str, list[Sums]] = {by: [] for by in groups}
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        for at, label, *numbers in cursor.fetchall():
            sums[groups[at]].append(Sums(label or "", *map(int, numbers)))
    if "day" in sums:
        sums["day"].sort(key=lambda each: each.name, reverse=True)
    return sums


def list_calls(asked: SpendFilter, *, after: int | None = None, limit: int = 100) -> Page:
    """Return a page of calls, newest first, and where the next one begins.

    Raises:
        SpendFilterError: the limit is not 1 to 1,000, or `after` is no call.
    """
    if not 1 <= limit <= CALLS_MAX:
        raise SpendFilterError(f"a page has 1 to {CALLS_MAX:,} calls, not {limit:,}")
    rows = asked.calls.defer("answer").order_by("-created_at", "-pk")
    if after is not None:
        rows = rows.filter(_is_after(after))
    found = list(rows[: limit + 1])
    next_after = found[limit - 1].pk if len(found) > limit else None
    return Page([describe_call(call) for call in found[:limit]], next_after)


def describe_call(call: Call) -> dict[str, Any]:
    """Return a call as JSON has it."""
    paid = call.state in (Call.State.SETTLED, Call.State.UNKNOWN)
    return {
        "call": call.pk,
        "key": call.key,
        "brief_id": call.brief_id,
        "lane": call.lane,
        "entry": call.entry,
        "provider": call.provider,
        "model": call.model,
        "bundle": call.bundle,
        "price_version": call.price_version,
        "request_id": call.request_id or None,
        "batch": call.batch or None,
        "state": call.state,
        "paid": paid,
        "cost_micros": cost_of_call(call),
        "held_micros": call.held_micros,
        **tokens_of(call.usage),
        "served": call.served,
        "outcome": call.outcome or None,
        "created_at": stamp(call.created_at),
        "closed_at": stamp(call.closed_at) if call.closed_at else None,
    }


def cost_of_call(call: Call) -> int:
    """Return what counts against the caps: the bill, or the whole hold where it was lost."""
    if call.state == Call.State.UNKNOWN:
        return call.held_micros if call.cost_micros is None else call.cost_micros
    return (call.cost_micros or 0) if call.state == Call.State.SETTLED else 0


def stamp(at: datetime) -> str:
    """Return a moment in UTC, as RFC 3339."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _is_after(cursor: int) -> Q:
    created_at = Call.objects.filter(pk=cursor).values_list("created_at", flat=True).first()
    if created_at is None:
        raise SpendFilterError(f"no call is {cursor}; go on with the cursor that a page ended with")
    return Q(created_at__lt=created_at) | Q(created_at=created_at, pk__lt=cursor)


def _read_moment(name: str, text: str, *, days: int) -> datetime:
    try:
        if len(text) == len("2026-11-23"):
            day = datetime.combine(date.fromisoformat(text), time(), tzinfo=UTC)
            return day + timedelta(days=days)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise SpendFilterError(
            f"{name} is {text!r}; give a day or a moment, as 2026-11-23 or 2026-11-23T15:00:00Z"
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.astimezone(UTC).date(), time(), tzinfo=UTC)


_READ = (
    "state", "brief_id", "lane", "entry", "bundle", "model", "provider", "held_micros",
    "cost_micros", "usage", "served", "created_at",
)  # fmt: skip

# Columns of the statement below. A bundle's version is told apart by its lane.
GROUPS: Mapping[str, str] = {
    "lane": "lane",
    "entry": "entry",
    "bundle": "written_under",
    "model": "model",
    "day": "day",
    "brief": "brief_id",
}


_SUMS = f"""
with costs as (
    select *, case state when 'settled' then coalesce(cost_micros, 0)
        when 'unknown' then coalesce(cost_micros, held_micros) else 0 end as cost
    from ({{calls}}) as calls
), counted as materialized (
    select lane, entry, model, brief_id, state, cost, held_micros, served,
        lane || ' ' || coalesce('v' || bundle, 'without') as written_under,
        ((created_at at time zone 'UTC')::date)::text as day,
        {sql_tokens("input_tokens")} as input_tokens,
        {sql_tokens("cached_tokens")} as cached_tokens,
        {sql_tokens("output_tokens")} as output_tokens
    from costs
), sums as (
    select {{number}} as number, {{name}} as name,
        count(*) as calls,
        count(*) filter (where state in ('settled', 'unknown')) as paid,
        sum(cost) as cost,
        coalesce(sum(cost) filter (where state = 'unknown'), 0) as lost,
        coalesce(sum(held_micros) filter (where state = 'held'), 0) as held,
        sum(input_tokens) as input_tokens,
        sum(cached_tokens) as cached_tokens,
        sum(output_tokens) as output_tokens,
        sum(served) as served,
        sum(served * cost) as saved
    from counted group by grouping sets ({{sets}})
    having count(*) > 0
), ranked as (
    select *, row_number() over (partition by number order by cost desc, name) as place from sums
)
select number, name, calls, paid, cost, lost, held, input_tokens, cached_tokens, output_tokens,
    served, saved
from ranked where place <= {{most}} order by number, place
"""  # noqa: S608 - made of constants
