"""The statements that find, claim and take over due instances.

Row sets enter an update as `id = any(array(…))`: a join or `in` with a LIMIT parameter makes the
generic plan scan the whole table.
"""

from workflows.models import Outcome, Rank, Reason, Status
from workflows.statements.statement import Statement

CLAIM_LOCK = 7_305_001  # pg_advisory_xact_lock: one claim counts the limits at a time
# A suspect stays one, whatever it waits for, until it has finished a step.
AFTERWARDS = f"case when crashes > 0 then {Rank.SUSPECT:d} else {Rank.WOKEN:d} end"
CRASHES_MAX = 5  # an instance that was in flight in so many dead processes ends errored

# Taken in a statement before the claim, so that the claim's snapshot is younger than the lock.
LOCK_CLAIMS = Statement(
    "claims.lock_claims",
    f"""
select set_config('lock_timeout', '2s', true),
       set_config('idle_in_transaction_session_timeout', '2s', true),
       pg_advisory_xact_lock({CLAIM_LOCK})
""",
)

_PARTITIONS = """
partitions(partition) as (
    (select partition from workflows_instance where due_at is not null
     order by partition limit 1)
    union all
    select (select i.partition from workflows_instance i
            where i.due_at is not null and i.partition > p.partition
            order by i.partition limit 1)
    from partitions p where p.partition is not null)
"""

# One index probe a partition and rank; standing drains ask this five times a second. The moment
# is the statement's: clock_timestamp() is volatile and cannot bound an index scan, so that every
# sleeper would be walked.
ANY_DUE = Statement(
    "claims.any_due",
    f"""
with recursive {_PARTITIONS}
select exists (
        select 1 from workflows_instance i
        where i.rank = {Rank.SUSPECT:d} and i.due_at is not null
          and i.due_at <= statement_timestamp()),
    exists (
        select 1 from partitions p cross join generate_series({Rank.WOKEN:d}, {Rank.NEW:d}) r(rank)
        cross join lateral (
            select 1 from workflows_instance i
            where i.partition = p.partition and i.due_at is not null and i.rank = r.rank
              and i.due_at <= statement_timestamp() limit 1) due
        where p.partition is not null)
""",
)

_BEGIN = f"""
update workflows_instance i set
    status = {Status.RUNNING:d}, reason = null, owner = %(drain)s, fence = fence + 1,
    due_at = null, wake_at = null, attempt = attempt + 1,
    attempt_started_at = clock_timestamp(),
    started_at = coalesce(started_at, clock_timestamp())
where i.id = any(array(select id from picked))
returning i.id, i.instance_id, i.workflow, i.key, i.graph_id, i.generation, i.position,
    i.attempt, i.failures, i.crashes, i.fence, i.attempt_started_at, i.inbox, i.deadline_at,
    i.policy
"""

_ROOM_IN_ALL = f"""
room_in_all as (
    select case when l.max_running is null then %(slots)s else greatest(0, least(%(slots)s,
        l.max_running - (select count(*) from workflows_instance where status = {Status.RUNNING:d})
    )) end as slots
    from (select 1) one left join workflows_limit l on l.partition = '*')
"""

# Fair between partitions (round robin over their heads), woken before new, within the limits.
CLAIM = Statement(
    "claims.claim",
    f"""
with recursive {_PARTITIONS},
{_ROOM_IN_ALL},
room as (
    select p.partition, case when l.max_running is null then %(slots)s
        else least(%(slots)s, l.max_running - (select count(*) from (
            select 1 from workflows_instance r
            where r.status = {Status.RUNNING:d} and r.partition = p.partition
            limit l.max_running) c)) end as free
    from partitions p left join workflows_limit l on l.partition = p.partition
    where p.partition is not null),
backlog as (
    select room.partition, heads.place from room cross join lateral (
        select row_number() over (order by rank, due_at) as place from (
            (select rank, due_at from workflows_instance i
             where i.partition = room.partition and rank = {Rank.WOKEN:d} and due_at is not null
               and due_at <= statement_timestamp() order by due_at limit %(slots)s)
            union all
            (select rank, due_at from workflows_instance i
             where i.partition = room.partition and rank = {Rank.NEW:d} and due_at is not null
               and due_at <= statement_timestamp() order by due_at limit %(slots)s)) due
        order by 1 limit greatest(room.free, 0)) heads),
share as (
    select partition, count(*) as quota from (
        select partition from backlog order by place, md5(partition || %(seed)s)
        limit (select slots from room_in_all)) s group by partition),
picked as materialized (
    select taken.id from share cross join lateral (
        select id from (
            select * from (select id, rank, due_at from workflows_instance i
                where i.partition = share.partition and rank = {Rank.WOKEN:d}
                  and due_at is not null and due_at <= statement_timestamp()
                order by due_at limit share.quota for no key update skip locked) woken
            union all
            select * from (select id, rank, due_at from workflows_instance i
                where i.partition = share.partition and rank = {Rank.NEW:d}
                  and due_at is not null and due_at <= statement_timestamp()
                order by due_at limit share.quota for no key update skip locked) fresh) both_ranks
        order by rank, due_at limit share.quota) taken)
{_BEGIN}
""",
)

# A suspect was in flight in a process that died; a drain drives at most one at a time.
CLAIM_SUSPECT = Statement(
    "claims.claim_suspect",
    f"""
with {_ROOM_IN_ALL},
picked as materialized (
    select i.id from workflows_instance i left join workflows_limit l on l.partition = i.partition
    where i.rank = {Rank.SUSPECT:d} and i.due_at is not null and i.due_at <= statement_timestamp()
      and (l.max_running is null or l.max_running > (
          select count(*) from workflows_instance r
          where r.status = {Status.RUNNING:d} and r.partition = i.partition))
    order by i.due_at limit (select least(1, slots) from room_in_all)
    for no key update of i skip locked)
{_BEGIN}
""",
)

# What new instances were sent with, read after the claim has committed: those of a size that
# leaves room for all. Each driver reads a larger one itself.
SMALL_BYTES = 32 * 1024  # as stored, which is compressed
ENVELOPES = Statement(
    "claims.envelopes",
    f"""
select instance_id, data from workflows_envelope
where instance_id = any(%(instances)s::bigint[]) and pg_column_size(data) <= {SMALL_BYTES}
""",
)

GIVE_BACK = Statement(
    "claims.give_back",
    f"""
update workflows_instance set
    status = case when pause_requested then {Status.PAUSED:d} else {Status.WAITING:d} end,
    reason = '{Reason.RETRY}', owner = null, fence = fence + 1, rank = {AFTERWARDS},
    due_at = case when not pause_requested then clock_timestamp() end,
    wake_at = clock_timestamp(), pause_requested = false
where owner = %(drain)s and not (id = any(%(held)s::bigint[]))
""",
)

# What a lapsed drain drove goes on elsewhere; the attempt is lost, and a crash is counted.
TAKE_OVER = Statement(
    "claims.take_over",
    f"""
with orphaned as materialized (
    select i.id, i.owner, i.attempt, i.attempt_started_at, i.crashes + 1 as crashes
    from workflows_instance i
    where i.owner is not null and not exists (
        select 1 from workflows_drain d
        where d.id = i.owner and d.ended_at is null and d.lease_until >= clock_timestamp())
    order by i.id limit 500 for no key update of i skip locked),
taken as (
    update workflows_instance i set
        status = case when o.crashes >= {CRASHES_MAX} then {Status.ERRORED:d}
                      when pause_requested then {Status.PAUSED:d}
                      else {Status.WAITING:d} end,
        reason = case when o.crashes >= {CRASHES_MAX} then null else '{Reason.RETRY}' end,
        owner = null, fence = fence + 1, crashes = o.crashes, pause_requested = false,
        due_at = case when o.crashes < {CRASHES_MAX} and not pause_requested
                      then clock_timestamp() end,
        wake_at = case when o.crashes < {CRASHES_MAX} then clock_timestamp() end,
        rank = {Rank.SUSPECT:d},
        error = case when o.crashes >= {CRASHES_MAX} then jsonb_build_object(
            'type', 'WorkerDied', 'message', format(
                'its worker process died %%s times while it was driven', o.crashes)) else error end,
        finished_at = case when o.crashes >= {CRASHES_MAX} then clock_timestamp() end
    from orphaned o where i.id = o.id
    returning i.id, i.generation, i.position, i.graph_id, i.status, o.owner, o.attempt,
        o.attempt_started_at),
lost as (
    insert into workflows_attempt (instance_id, generation, position, entry, number, outcome,
        error, drain, started_at, finished_at)
    select t.id, t.generation, t.position,
        coalesce(g.entries -> t.position::int ->> 'name', g.entries -> t.position::int ->> 'step',
            g.entries -> t.position::int ->> 'wait'),
        t.attempt, '{Outcome.LOST}',
        jsonb_build_object('type', 'WorkerDied', 'message', 'the worker process died'),
        t.owner, t.attempt_started_at, clock_timestamp()
    from taken t join workflows_stepgraph g on g.id = t.graph_id),
logged as (
    insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why, at)
    select pg_current_xact_id()::text::bigint, id, generation, 'errored', '',
        'its worker process died too often', clock_timestamp()
    from taken where status = {Status.ERRORED:d}),
tallied as (
    insert into workflows_tally as t (name, value)
    select 'lost', count(*) from taken having count(*) > 0
    on conflict (name) do update set value = t.value + excluded.value)
select count(*) from taken
""",
)
