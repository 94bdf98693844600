"""The statements that a driver writes: one for each checkpoint, the fence inside.

Every one returns a row if the claim still held, and none if it was lost. `fence`, `position`
and `attempt` together name the try that may write. A pause that was asked for takes effect in
whichever of them comes next, because it is a column of the row that they update.
"""

from workflows.models import Outcome, Rank, Reason, Status
from workflows.statements.claims import AFTERWARDS, CRASHES_MAX
from workflows.statements.statement import Statement

_HELD = f"""
id = %(instance)s and fence = %(fence)s and position = %(position)s and attempt = %(attempt)s
    and status = {Status.RUNNING:d}
"""

_RECORD = """
recorded as (
    insert into workflows_steprecord (instance_id, generation, position, entry, attempt, output,
        sensitive, superseded, drain, started_at, finished_at)
    select id, generation, %(position)s, %(entry)s, %(attempt)s, %(output)s, %(sensitive)s, false,
        %(drain)s, %(started_at)s, now_at from moved)
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

# The event that a wait was for; written with the wait's record.
_TAKE = """
taken as (
    update workflows_event e set taken_at = now_at from moved where e.id = %(event)s)
"""


def aside(reason: str, due: str) -> str:
    """Return the assignments that put a running instance aside: waiting, or paused if asked.

    Args:
        reason: SQL of the reason word.
        due: SQL of the moment at which a worker is wanted; null for none.
    """
    return f"""
        status = case when pause_requested then {Status.PAUSED:d} else {Status.WAITING:d} end,
        reason = {reason}, owner = null, fence = fence + 1, rank = {AFTERWARDS},
        due_at = case when pause_requested then null else {due} end, wake_at = {due},
        pause_requested = false"""


# The finish of this entry and the begin of the next, in one statement. Unless somebody asked for
# a pause it touches no indexed column.
_ADVANCE = f"""
with moved as (
    update workflows_instance set
        position = position + 1, failures = 0, crashes = 0, error = null, policy = null,
        deadline_at = null, attempt = case when pause_requested then 0 else 1 end,
        status = case when pause_requested then {Status.PAUSED:d} else status end,
        owner = case when pause_requested then null else owner end,
        fence = case when pause_requested then fence + 1 else fence end,
        rank = case when pause_requested then {Rank.WOKEN:d} else rank end,
        wake_at = case when pause_requested then clock_timestamp() end,
        pause_requested = false, attempt_started_at = clock_timestamp()
    where {_HELD}
    returning id, generation, attempt_started_at as now_at, owner is not null as goes_on, inbox),
{_RECORD}{{more}}
select now_at, goes_on, inbox from moved
"""

_COMPLETE = f"""
with moved as (
    update workflows_instance set
        position = position + 1, attempt = 0, failures = 0, crashes = 0, error = null,
        policy = null, deadline_at = null, pause_requested = false,
        status = {Status.COMPLETE:d}, owner = null, finished_at = clock_timestamp()
    where {_HELD}
    returning id, generation, finished_at as now_at),
{_RECORD},
logged as (
    insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why, at)
    select pg_current_xact_id()::text::bigint, id, generation, 'complete', '', '', now_at
    from moved){{more}}
select now_at, false, 0 from moved
"""

ADVANCE = Statement("checkpoints.advance", _ADVANCE.format(more=""))
COMPLETE = Statement("checkpoints.complete", _COMPLETE.format(more=""))
ADVANCE_WITH_EVENT = Statement(
    "checkpoints.advance_with_event", _ADVANCE.format(more=f",\n{_TAKE}")
)
COMPLETE_WITH_EVENT = Statement(
    "checkpoints.complete_with_event", _COMPLETE.format(more=f",\n{_TAKE}")
)

RETRY_LATER = Statement(
    "checkpoints.retry_later",
    f"""
with moved as (
    update workflows_instance set
        failures = failures + 1, error = %(error)s, policy = coalesce(policy, %(policy)s),
        {aside(f"'{Reason.RETRY}'", "clock_timestamp() + %(delay)s")}
    where {_HELD}
    returning id, generation, clock_timestamp() as now_at),
{_TRY}
select now_at from moved
""",
)

GIVE_UP = Statement(
    "checkpoints.give_up",
    f"""
with moved as (
    update workflows_instance set
        status = {Status.ERRORED:d}, owner = null, fence = fence + 1, failures = failures + 1,
        error = %(error)s, pause_requested = false, finished_at = clock_timestamp()
    where {_HELD}
    returning id, generation, finished_at as now_at),
{_TRY},
{_LOG}
select now_at from moved
""",
)

# A step asked to be put aside: no failure is counted. `due_at` may be null: somebody wakes it.
PARK = Statement(
    "checkpoints.park",
    f"""
with moved as (
    update workflows_instance set
        error = %(error)s, policy = coalesce(policy, %(policy)s),
        {aside("%(reason)s", "%(due_at)s::timestamptz")}
    where {_HELD}
    returning id, generation, clock_timestamp() as now_at),
{_TRY},
{_LOG}
select now_at from moved
""",
)

# A `sleep` or `until` whose end has not come; the end is fixed at the first look. No attempt.
SLEEP = Statement(
    "checkpoints.sleep",
    f"""
with ends as (
    select coalesce(deadline_at, %(moment)s::timestamptz, clock_timestamp() + %(duration)s) as at
    from workflows_instance where id = %(instance)s),
moved as (
    update workflows_instance set
        attempt = attempt - 1, deadline_at = ends.at,
        {aside(f"'{Reason.SLEEP}'", "ends.at")}
    from ends where {_HELD}
    returning id, generation, clock_timestamp() as now_at),
{_LOG}
select now_at from moved
""",
)

# A `wait` whose event has not come. An event that was sent since the driver looked has counted
# the inbox up: the instance is due at once, and the driver looks again. No attempt.
AWAIT = Statement(
    "checkpoints.await",
    f"""
with ends as materialized (
    select clock_timestamp() as now_at, clock_timestamp() + %(timeout)s as at),
moved as (
    update workflows_instance set
        attempt = attempt - 1, deadline_at = coalesce(deadline_at, ends.at),
        {
        aside(
            f"'{Reason.EVENT}'",
            "case when inbox <> %(inbox)s then ends.now_at else coalesce(deadline_at, ends.at) end",
        )
    }
    from ends where {_HELD}
    returning id, generation, clock_timestamp() as now_at),
{_LOG}
select now_at from moved
""",
)

# The worker stops, or cannot go on: somebody else continues at once; no failure is counted.
RELEASE = Statement(
    "checkpoints.release",
    f"""
with moved as (
    update workflows_instance set
        policy = coalesce(policy, %(policy)s),
        {aside(f"'{Reason.RETRY}'", "clock_timestamp()")}
    where {_HELD}
    returning id, generation, clock_timestamp() as now_at),
{_TRY}
select now_at from moved
""",
)

# This code cannot run the entry: newer code may, else it waits until some comes. No attempt.
LEAVE_TO_NEWER = Statement(
    "checkpoints.leave_to_newer",
    f"""
with later as (
    select case when exists (
            select 1 from workflows_drain d where d.ended_at is null
              and d.lease_until > clock_timestamp() and d.code_version <> %(code_version)s)
        then clock_timestamp() + %(delay)s end as at),
moved as (
    update workflows_instance set
        error = %(error)s, {aside(f"'{Reason.CODE}'", "later.at")}
    from later where {_HELD}
    returning id, generation, clock_timestamp() as now_at),
{_LOG}
select now_at from moved
""",
)

# A write was refused: normally others have the instance, but if this claim has, it must go on.
RELINQUISH = Statement(
    "checkpoints.relinquish",
    f"""
update workflows_instance set {aside(f"'{Reason.RETRY}'", "clock_timestamp()")}
where id = %(instance)s and fence = %(fence)s and owner = %(drain)s
""",
)

# The driver itself failed, for no reason that a step explains: it counts as a crash.
DISOWN = Statement(
    "checkpoints.disown",
    f"""
with moved as (
    update workflows_instance set
        status = case when crashes + 1 >= {CRASHES_MAX} then {Status.ERRORED:d}
                      when pause_requested then {Status.PAUSED:d}
                      else {Status.WAITING:d} end,
        reason = case when crashes + 1 >= {CRASHES_MAX} then null else '{Reason.RETRY}' end,
        owner = null, fence = fence + 1, crashes = crashes + 1, rank = {Rank.SUSPECT:d},
        error = %(error)s, pause_requested = false,
        due_at = case when crashes + 1 < {CRASHES_MAX} and not pause_requested
                      then clock_timestamp() + interval '5 s' end,
        wake_at = case when crashes + 1 < {CRASHES_MAX}
                       then clock_timestamp() + interval '5 s' end,
        finished_at = case when crashes + 1 >= {CRASHES_MAX} then clock_timestamp() end
    where id = %(instance)s and fence = %(fence)s and owner = %(drain)s
    returning id, generation, position, attempt, attempt_started_at, graph_id)
insert into workflows_attempt (instance_id, generation, position, entry, number, outcome,
    error, drain, started_at, finished_at)
select m.id, m.generation, m.position,
    coalesce(g.entries -> m.position::int ->> 'name', g.entries -> m.position::int ->> 'step',
        g.entries -> m.position::int ->> 'wait'),
    m.attempt, '{Outcome.LOST}', %(error)s, %(drain)s, m.attempt_started_at, clock_timestamp()
from moved m join workflows_stepgraph g on g.id = m.graph_id
""",
)

# What became of a checkpoint whose connection was lost: did this very try leave its mark?
WAS_RECORDED = Statement(
    "checkpoints.was_recorded",
    """
select 1 from workflows_steprecord
where instance_id = %(instance)s and entry = %(entry)s and generation = %(generation)s
  and attempt = %(attempt)s and drain = %(drain)s
""",
)

WAS_TRIED = Statement(
    "checkpoints.was_tried",
    """
select 1 from workflows_attempt
where instance_id = %(instance)s and position = %(position)s and generation = %(generation)s
  and number = %(attempt)s and drain = %(drain)s
""",
)

# Where the instance stands after such a mark was found: whether this drain may go on with it.
CURRENT_TRY = Statement(
    "checkpoints.current_try",
    f"""
select attempt_started_at,
    fence = %(fence)s and owner = %(drain)s and status = {Status.RUNNING:d}
        and position = %(position)s + 1,
    inbox
from workflows_instance where id = %(instance)s
""",
)

# What the remaining steps will read, in one statement, once a claim.
INPUTS = Statement(
    "checkpoints.inputs",
    """
select null::text, data from workflows_envelope where instance_id = %(instance)s
union all
select entry, output from workflows_steprecord
where instance_id = %(instance)s and not superseded and entry = any(%(entries)s)
""",
)

# The oldest event that a wait of this generation may take.
NEXT_EVENT = Statement(
    "checkpoints.next_event",
    """
select id, type, payload, sender, sent_at from workflows_event
where instance_id = %(instance)s and generation = %(generation)s and type = %(type)s
  and taken_at is null
order by id limit 1
""",
)
