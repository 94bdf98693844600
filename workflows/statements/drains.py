"""The statements of a drain's own row: its beat is the lease of everything that it drives."""

from workflows.models import Reason, Status
from workflows.statements.statement import Statement

ENTER = Statement(
    "drains.enter",
    """
insert into workflows_drain (cluster, host, pid, process_started, code_version, threads,
    started_at, beat_at, lease_until, leaving, counts)
select %(cluster)s, %(host)s, %(pid)s, %(process_started)s, %(code_version)s, %(threads)s,
    now_at, now_at, now_at + %(lease)s, false, '{}'
from clock_timestamp() now_at
returning id
""",
)

# No row: the lease lapsed, others may have taken everything over; this drain is dead.
BEAT = Statement(
    "drains.beat",
    """
update workflows_drain set beat_at = clock_timestamp(),
    lease_until = clock_timestamp() + %(lease)s, leaving = %(leaving)s, counts = %(counts)s
where id = %(drain)s and ended_at is null and lease_until > clock_timestamp()
returning id
""",
)

END = Statement(
    "drains.end",
    """
update workflows_drain set ended_at = clock_timestamp(), lease_until = clock_timestamp()
where id = any(%(drains)s) and ended_at is null
returning id
""",
)

BEATING = Statement(
    "drains.beating",
    """
select id, cluster, host, pid, process_started from workflows_drain
where ended_at is null and lease_until > clock_timestamp()
""",
)

# Of any number of creators one is told to enqueue: where no drain stands and none was called for
# within the lease.
CALL = Statement(
    "drains.call",
    """
insert into workflows_draincall as c (id, called_at)
select 1, clock_timestamp()
where not exists (select 1 from workflows_drain
    where ended_at is null and not leaving and lease_until > clock_timestamp())
on conflict (id) do update set called_at = excluded.called_at
    where c.called_at < clock_timestamp() - %(lease)s
returning id
""",
)

FORGET_OLD = Statement(
    "drains.forget_old",
    """
with gone as (
    delete from workflows_drain d
    where (ended_at < clock_timestamp() - interval '7 days'
           or lease_until < clock_timestamp() - interval '7 days')
      and not exists (select 1 from workflows_instance where owner = d.id)
    returning counts)
insert into workflows_tally as t (name, value)
select c.key, sum(c.value::bigint) from gone, jsonb_each_text(gone.counts) c group by c.key
on conflict (name) do update set value = t.value + excluded.value
""",
)

# Newer code has come: it may be able to run what this one's forerunners could not.
WAKE_FOR_CODE = Statement(
    "drains.wake_for_code",
    f"""
update workflows_instance set due_at = clock_timestamp(), wake_at = clock_timestamp()
where reason = '{Reason.CODE}' and due_at is null and status = {Status.WAITING:d}
""",
)

# One more of something that is seldom.
COUNT_UP = Statement(
    "drains.count_up",
    """
insert into workflows_tally as t (name, value) values (%(name)s, 1)
on conflict (name) do update set value = t.value + 1
""",
)

# Drains that neither beat nor ended, and whether another lease has passed since: a process that
# hangs (a pattern that never returns holds the interpreter's lock) or is frozen. One that entered
# without hearing of it (its connection was cut) has begun anew under a younger row.
LAPSED = Statement(
    "drains.lapsed",
    """
select id, cluster, host, pid, process_started,
    lease_until < clock_timestamp() - %(lease)s as is_hung,
    exists (select 1 from workflows_drain y where y.id > d.id and y.host = d.host
        and y.pid = d.pid and y.process_started = d.process_started) as has_begun_anew
from workflows_drain d
where ended_at is null and lease_until <= clock_timestamp()
""",
)
