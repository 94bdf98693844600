"""The statements that a driver writes: one for each checkpoint, the fence inside.

Every one returns a row if the claim still held, and none if it was lost. `fence`, `position`
and `attempt` together name the try that may write.
"""

from workflows.models import Outcome, Reason, Status
from workflows.statements.claims import AFTERWARDS, CRASHES_MAX

_HELD = f"""
id = %(instance)s and fence = %(fence)s and position = %(position)s and attempt = %(attempt)s
    and status = {Status.RUNNING:d}
"""

_RECORD = """
recorded as (
    insert into workflows_steprecord (instance_id, generation, position, entry, attempt, output,
        superseded, drain, started_at, finished_at)
    select id, generation, %(position)s, %(entry)s, %(attempt)s, %(output)s, false, %(drain)s,
        %(started_at)s, now_at from moved)
"""

_TRY = """
tried as (
    insert into workflows_attempt (instance_id, generation, position, entry, number, outcome,
        error, drain, started_at, finished_at)
    select id, generation, %(position)s, %(entry)s, %(attempt)s, %(outcome)s, %(error)s,
        %(drain)s, %(started_at)s, now_at from moved)
"""

_LOG = """
logged as (
    insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why,
        details, at)
    select pg_current_xact_id()::text::bigint, id, generation, %(kind)s, '', %(why)s, null, now_at
    from moved)
"""

# The finish of this entry and the begin of the next, in one statement; touches no indexed column.
ADVANCE = f"""
with moved as (
    update workflows_instance set
        position = position + 1, attempt = 1, failures = 0, crashes = 0, error = null,
        attempt_started_at = clock_timestamp()
    where {_HELD}
    returning id, generation, attempt_started_at as now_at),
{_RECORD}
select now_at from moved
"""

COMPLETE = f"""
with moved as (
    update workflows_instance set
        position = position + 1, attempt = 0, failures = 0, crashes = 0, error = null,
        status = {Status.COMPLETE:d}, owner = null, finished_at = clock_timestamp()
    where {_HELD}
    returning id, generation, finished_at as now_at),
{_RECORD},
logged as (
    insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why, at)
    select pg_current_xact_id()::text::bigint, id, generation, 'complete', '', '', now_at
    from moved)
select now_at from moved
"""

RETRY_LATER = f"""
with moved as (
    update workflows_instance set
        status = {Status.WAITING:d}, reason = '{Reason.RETRY}', owner = null, fence = fence + 1,
        failures = failures + 1, error = %(error)s, rank = {AFTERWARDS},
        due_at = clock_timestamp() + %(delay)s, wake_at = clock_timestamp() + %(delay)s
    where {_HELD}
    returning id, generation, clock_timestamp() as now_at),
{_TRY}
select now_at from moved
"""

GIVE_UP = f"""
with moved as (
    update workflows_instance set
        status = {Status.ERRORED:d}, owner = null, fence = fence + 1, failures = failures + 1,
        error = %(error)s, finished_at = clock_timestamp()
    where {_HELD}
    returning id, generation, finished_at as now_at),
{_TRY},
{_LOG}
select now_at from moved
"""

# A step asked to be put aside: no failure is counted. `due_at` may be null: somebody wakes it.
PARK = f"""
with moved as (
    update workflows_instance set
        status = {Status.WAITING:d}, reason = %(reason)s, owner = null, fence = fence + 1,
        error = %(error)s, rank = {AFTERWARDS}, due_at = %(due_at)s, wake_at = %(due_at)s
    where {_HELD}
    returning id, generation, clock_timestamp() as now_at),
{_TRY},
{_LOG}
select now_at from moved
"""

# An `until` entry whose moment has not come: no attempt was made.
SLEEP = f"""
with moved as (
    update workflows_instance set
        status = {Status.WAITING:d}, reason = '{Reason.SLEEP}', owner = null, fence = fence + 1,
        attempt = attempt - 1, rank = {AFTERWARDS}, due_at = %(due_at)s, wake_at = %(due_at)s
    where {_HELD}
    returning id, generation, clock_timestamp() as now_at),
{_LOG}
select now_at from moved
"""

# The worker stops, or cannot go on: somebody else continues at once; no failure is counted.
RELEASE = f"""
with moved as (
    update workflows_instance set
        status = {Status.WAITING:d}, reason = '{Reason.RETRY}', owner = null,
        fence = fence + 1, rank = {AFTERWARDS}, due_at = clock_timestamp(),
        wake_at = clock_timestamp()
    where {_HELD}
    returning id, generation, clock_timestamp() as now_at),
{_TRY}
select now_at from moved
"""

# This code cannot run the entry: newer code may, else it waits until some comes. No attempt.
LEAVE_TO_NEWER = f"""
with moved as (
    update workflows_instance set
        status = {Status.WAITING:d}, reason = '{Reason.CODE}', owner = null, fence = fence + 1,
        error = %(error)s, rank = {AFTERWARDS}, due_at = later.at, wake_at = later.at
    from (select case when exists (
            select 1 from workflows_drain d where d.ended_at is null
              and d.lease_until > clock_timestamp() and d.code_version <> %(code_version)s)
        then clock_timestamp() + %(delay)s end as at) later
    where {_HELD}
    returning id, generation, clock_timestamp() as now_at),
{_LOG}
select now_at from moved
"""

# A write was refused: normally others have the instance, but if this claim has, it must go on.
RELINQUISH = f"""
update workflows_instance set
    status = {Status.WAITING:d}, reason = '{Reason.RETRY}', owner = null, fence = fence + 1,
    rank = {AFTERWARDS}, due_at = clock_timestamp(), wake_at = clock_timestamp()
where id = %(instance)s and fence = %(fence)s and owner = %(drain)s
"""

# The driver itself failed, for no reason that a step explains: it counts as a crash.
DISOWN = f"""
with moved as (
    update workflows_instance set
        status = case when crashes + 1 >= {CRASHES_MAX} then {Status.ERRORED:d}
                      else {Status.WAITING:d} end,
        reason = case when crashes + 1 >= {CRASHES_MAX} then null else '{Reason.RETRY}' end,
        owner = null, fence = fence + 1, crashes = crashes + 1, rank = 2, error = %(error)s,
        due_at = case when crashes + 1 < {CRASHES_MAX}
                      then clock_timestamp() + interval '5 s' end,
        wake_at = null,
        finished_at = case when crashes + 1 >= {CRASHES_MAX} then clock_timestamp() end
    where id = %(instance)s and fence = %(fence)s and owner = %(drain)s
    returning id, generation, position, attempt, attempt_started_at, graph_id)
insert into workflows_attempt (instance_id, generation, position, entry, number, outcome,
    error, drain, started_at, finished_at)
select m.id, m.generation, m.position,
    coalesce(g.entries -> m.position::int ->> 'name', g.entries -> m.position::int ->> 'step'),
    m.attempt, '{Outcome.LOST}', %(error)s, %(drain)s, m.attempt_started_at, clock_timestamp()
from moved m join workflows_stepgraph g on g.id = m.graph_id
"""

# What became of a checkpoint whose connection was lost: did this very try leave its mark?
WAS_RECORDED = """
select 1 from workflows_steprecord
where instance_id = %(instance)s and entry = %(entry)s and generation = %(generation)s
  and attempt = %(attempt)s and drain = %(drain)s
"""

WAS_TRIED = """
select 1 from workflows_attempt
where instance_id = %(instance)s and position = %(position)s and generation = %(generation)s
  and number = %(attempt)s and drain = %(drain)s
"""

CURRENT_TRY = """
select attempt_started_at from workflows_instance where id = %(instance)s
"""

# What the remaining steps will read, in one statement, once a claim.
INPUTS = """
select null::text, data from workflows_envelope where instance_id = %(instance)s
union all
select entry, output from workflows_steprecord
where instance_id = %(instance)s and not superseded and entry = any(%(entries)s)
"""
