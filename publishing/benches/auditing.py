"""What must hold of the ledger after any bench that reserved or paid."""

from django.db import connection

from publishing.benches.report import BenchError


def check_buckets() -> None:
    """Compare each bucket's sums with its calls.

    Raises:
        BenchError: they differ, or a bucket stands above its cap.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BUCKETS_OFF)
        if off := cursor.fetchall():
            raise BenchError(f"these buckets do not add up, or stand above their caps: {off}")


# Buckets whose sums are not those of their calls, or stand above their cap.
_BUCKETS_OFF = """
with moved as (
    select own.key, coalesce(sum(c.held_micros) filter (where c.state = 'held'), 0) as held,
        coalesce(sum(c.cost_micros), 0) as spent
    from publishing_call as c cross join jsonb_array_elements_text(c.buckets) as own (key)
    group by own.key
)
select b.key from publishing_bucket as b left join moved using (key)
where (b.held_micros, b.spent_micros) is distinct from (moved.held, moved.spent)
    or b.held_micros + b.spent_micros > b.cap_micros
"""
