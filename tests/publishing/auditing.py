"""What must hold of the ledger after anything at all, asked of the database in SQL."""

from collections.abc import Mapping

from django.db import connection

# Each finds what must not be; a row of it is the first thing to look at.
_NEVER: Mapping[str, str] = {
    "what a bucket holds is the sum of its open holds": """
        select b.key, b.held_micros, coalesce(sum(c.held_micros), 0)
        from publishing_bucket as b
        left join publishing_call as c on c.buckets ? b.key and c.state = 'held'
        group by b.key having b.held_micros <> coalesce(sum(c.held_micros), 0)
    """,
    "what a bucket has spent is the sum of its closed calls": """
        select b.key, b.spent_micros, coalesce(sum(c.cost_micros), 0)
        from publishing_bucket as b
        left join publishing_call as c on c.buckets ? b.key and c.state <> 'held'
        group by b.key having b.spent_micros <> coalesce(sum(c.cost_micros), 0)
    """,
    # A bill above its hold is booked as it is: that much, and nothing else, stands above a cap.
    "no bucket has spent and holds more than its cap": """
        select b.key, b.spent_micros, b.held_micros, b.cap_micros
        from publishing_bucket as b left join publishing_call as c
            on c.buckets ? b.key and c.cost_micros > c.held_micros
        group by b.key
        having b.spent_micros + b.held_micros
            > b.cap_micros + coalesce(sum(c.cost_micros - c.held_micros), 0)
    """,
    "each call counts in its step, its brief, its lane's day and the day": """
        select c.id, c.buckets from publishing_call as c
        where jsonb_array_length(c.buckets) <> 4
            or not c.buckets ? ('brief:' || c.brief_id)
            or c.buckets ->> 0 not like 'step:%'
            or c.buckets ->> 2 not like 'lane-day:' || c.lane || ':____-__-__'
            or c.buckets ->> 3 <> 'day:' || right(c.buckets ->> 2, 10)
            or (select count(*) from publishing_bucket as b where c.buckets ? b.key) <> 4
    """,
    "no key is settled twice": """
        select key, count(*) from publishing_call where state = 'settled'
        group by key having count(*) > 1
    """,
    "no key has been sent more than three times without an answer": """
        select key, count(*) from publishing_call where state = 'unknown'
        group by key having count(*) > 3
    """,
    "a call costs what its state says": """
        select id, state, held_micros, cost_micros from publishing_call
        where case state
            when 'held' then cost_micros is not null or closed_at is not null
            when 'released' then cost_micros <> 0
            when 'unknown' then cost_micros < held_micros
            else cost_micros is null or answer is null end
    """,
    "a bill above its hold has blocked its model": """
        select id, model from publishing_call as c
        where cost_micros > held_micros
            and not exists (select 1 from publishing_blockedmodel as b where b.model = c.model)
    """,
}


def assert_ledger_adds_up(*, requests: int) -> None:
    """Assert what the ledger promises at every commit.

    Args:
        requests: how many the providers have seen; each had a hold.
    """
    with connection.cursor() as cursor:
        for promise, exception in _NEVER.items():
            cursor.execute(exception)
            assert cursor.fetchall() == [], promise
        cursor.execute("select count(*) from publishing_call")
        assert requests <= cursor.fetchone()[0], "no request is seen that had no hold"
