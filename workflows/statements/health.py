"""The statements that look at the engine as a whole; each is bounded by an index."""

from workflows.models import Reason, Status
from workflows.statements.statement import Statement

# One index probe a partition and rank for the oldest, and so many more rows as are counted at
# most. What lies in the future is never walked, and neither is a backlog beyond the bound: unlike
# clock_timestamp(), which is volatile, statement_timestamp() may end an index scan.
_DUE = """
with recursive partitions(partition) as (
    (select partition from workflows_instance where due_at is not null
     order by partition limit 1)
    union all
    select (select i.partition from workflows_instance i
            where i.due_at is not null and i.partition > p.partition
            order by i.partition limit 1)
    from partitions p where p.partition is not null),
ranges as (
    select p.partition, r.rank from partitions p cross join generate_series(0, 2) r(rank)
    where p.partition is not null),
heads as (
    select r.partition, (
        select i.due_at from workflows_instance i
        where i.partition = r.partition and i.rank = r.rank and i.due_at is not null
          and i.due_at <= statement_timestamp()
        order by i.due_at limit 1) as due_at
    from ranges r),
counted as (
    select 1 from ranges r cross join lateral (
        select 1 from workflows_instance i
        where i.partition = r.partition and i.rank = r.rank and i.due_at is not null
          and i.due_at <= statement_timestamp()
        order by i.due_at limit %(most)s) due
    limit %(most)s)
"""

# `open_for` is the age of the oldest that no limit of 0 holds back.
QUEUE = Statement(
    "health.queue",
    f"""
{_DUE}
select clock_timestamp(), (select count(*) from counted),
    extract(epoch from clock_timestamp() - (select min(due_at) from heads))::float8,
    extract(epoch from clock_timestamp() - (
        select min(h.due_at) from heads h where not exists (
            select 1 from workflows_limit l
            where l.partition in (h.partition, '*') and l.max_running = 0)))::float8 as open_for
""",
)

# Not ended: those that beat, those that are leaving, and those whose lease has lapsed.
DRAINS = Statement(
    "health.drains",
    """
select d.id, d.cluster, d.host, d.pid, d.code_version, d.threads, d.leaving,
    d.lease_until > clock_timestamp() as beats,
    extract(epoch from clock_timestamp() - d.beat_at)::float8,
    coalesce((d.counts ->> 'abandoned')::int, 0),
    (select count(*) from workflows_instance i where i.owner = d.id)
from workflows_drain d where d.ended_at is null order by d.id
""",
)

OVERDUE_SCHEDULES = Statement(
    "health.overdue_schedules",
    """
select name from workflows_schedule
where is_on and next_at < clock_timestamp() - %(patience)s order by next_at
""",
)

WAITING_FOR_CODE = Statement(
    "health.waiting_for_code",
    f"""
select count(*) from (
    select 1 from workflows_instance where reason = '{Reason.CODE}' limit %(most)s) waiting
""",
)

# The whole of the partial index of what is open, and nothing of what has ended.
OPEN = Statement(
    "health.open",
    f"""
select status, coalesce(reason, ''), count(*) from workflows_instance
where status < {Status.TERMINATED:d} group by status, reason
""",
)

# One snapshot: what is moved from a forgotten drain's row into the tally is counted once.
TOTALS = Statement(
    "health.totals",
    """
select name, sum(value)::bigint from (
    select c.key as name, c.value::bigint as value
    from workflows_drain d cross join jsonb_each_text(d.counts) c
    union all
    select name, value from workflows_tally) counted
group by name
""",
)
