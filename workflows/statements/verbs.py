"""The statements of the operators' verbs; each is a conditional update and its audit line.

All but pause bump the fence, so they also work on a running instance: the driver's next write is
refused. A pause lets the running step finish.
"""

from workflows.models import Rank, Reason, Status
from workflows.statements.claims import AFTERWARDS
from workflows.statements.statement import Statement

_LOGGED = """
logged as (
    insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why,
        details, at)
    select pg_current_xact_id()::text::bigint, id, generation, %(verb)s, %(actor)s, %(why)s,
        %(details)s, clock_timestamp() from moved)
"""

# The failed step has its whole policy again, a wait its whole time; attempts are numbered on.
RETRY = Statement(
    "verbs.retry",
    f"""
with moved as (
    update workflows_instance set
        status = {Status.WAITING:d}, reason = '{Reason.RETRY}', fence = fence + 1, failures = 0,
        crashes = 0, policy = null, deadline_at = null, rank = {Rank.WOKEN:d},
        due_at = clock_timestamp(), wake_at = clock_timestamp(), finished_at = null
    where instance_id = %(instance_id)s and pruned_at is null
      and (status = {Status.ERRORED:d}
           or (status = {Status.WAITING:d}
               and reason not in ('{Reason.SLEEP}', '{Reason.EVENT}')
               and (due_at is null or due_at > clock_timestamp())))
    returning id, generation),
{_LOGGED}
select id from moved
""",
)

# A new generation from an entry on; what was recorded from there on is superseded, and kept.
RESTART = Statement(
    "verbs.restart",
    f"""
with moved as (
    update workflows_instance set
        status = {Status.QUEUED:d}, reason = null, fence = fence + 1,
        generation = generation + 1, position = %(position)s, attempt = 0, failures = 0,
        crashes = 0, error = null, policy = null, deadline_at = null, owner = null,
        pause_requested = false, attempt_started_at = null, rank = {Rank.WOKEN:d},
        due_at = clock_timestamp(), wake_at = null, finished_at = null
    where instance_id = %(instance_id)s and pruned_at is null and position >= %(position)s
      and generation = %(generation)s
    returning id, generation),
superseded as (
    update workflows_steprecord r set superseded = true from moved
    where r.instance_id = moved.id and not r.superseded and r.position >= %(position)s),
{_LOGGED}
select id from moved
""",
)

TERMINATE = Statement(
    "verbs.terminate",
    f"""
with moved as (
    update workflows_instance set
        status = {Status.TERMINATED:d}, reason = null, fence = fence + 1, owner = null,
        pause_requested = false, due_at = null, wake_at = null, finished_at = clock_timestamp()
    where instance_id = %(instance_id)s and pruned_at is null
      and status not in ({Status.COMPLETE:d}, {Status.TERMINATED:d})
    returning id, generation),
{_LOGGED}
select id from moved
""",
)

# A running step finishes first: what it writes next finds the request in the row.
PAUSE = Statement(
    "verbs.pause",
    f"""
with moved as (
    update workflows_instance set
        status = case when status = {Status.RUNNING:d} then status else {Status.PAUSED:d} end,
        pause_requested = status = {Status.RUNNING:d},
        wake_at = case when status = {Status.RUNNING:d} then wake_at else due_at end,
        due_at = null
    where instance_id = %(instance_id)s and pruned_at is null
      and (status in ({Status.QUEUED:d}, {Status.WAITING:d})
           or (status = {Status.RUNNING:d} and not pause_requested))
    returning id, generation),
{_LOGGED}
select id from moved
""",
)

# It goes on where it stood: at once, when its retry or sleep is over, or by looking for its event.
# What only a person or room can end (operator, budget) stands aside again as it did.
RESUME = Statement(
    "verbs.resume",
    f"""
with moved as (
    update workflows_instance set
        status = case when status = {Status.RUNNING:d} then status
                      when started_at is null or (reason is null and attempt_started_at is null)
                      then {Status.QUEUED:d}
                      else {Status.WAITING:d} end,
        reason = case when status = {Status.RUNNING:d} or started_at is null
                        or (reason is null and attempt_started_at is null) then null
                      else coalesce(reason, '{Reason.RETRY}') end,
        due_at = case when status = {Status.RUNNING:d} then due_at
                      when reason in ('{Reason.RETRY}', '{Reason.SLEEP}', '{Reason.BUSY}',
                                      '{Reason.CALL}')
                      then coalesce(wake_at, clock_timestamp())
                      when reason in ('{Reason.OPERATOR}', '{Reason.BUDGET}') then wake_at
                      else clock_timestamp() end,
        rank = case when status = {Status.RUNNING:d} then rank else {AFTERWARDS} end,
        pause_requested = false
    where instance_id = %(instance_id)s and pruned_at is null
      and (status = {Status.PAUSED:d} or pause_requested)
    returning id, generation),
{_LOGGED}
select id from moved
""",
)

# Another output in place of the recorded one, which is kept as superseded. The instance stands
# still: the verb has locked its row, and does not allow a running one.
REPLACE_OUTPUT = Statement(
    "verbs.replace_output",
    f"""
with moved as (
    update workflows_instance set fence = fence + 1
    where instance_id = %(instance_id)s and pruned_at is null
      and status not in ({Status.RUNNING:d}, {Status.COMPLETE:d}, {Status.TERMINATED:d})
    returning id, generation),
old as (
    update workflows_steprecord r set superseded = true from moved
    where r.instance_id = moved.id and r.entry = %(entry)s and not r.superseded
      and r.output <> %(output)s
    returning r.*)
select id from old
""",
)

# Of its own, after the one that superseded: a live record is unique to its instance and entry.
RECORD_REPLACED = Statement(
    "verbs.record_replaced",
    f"""
with moved as (
    insert into workflows_steprecord (instance_id, generation, position, entry, attempt, output,
        sensitive, superseded, drain, started_at, finished_at)
    select instance_id, generation, position, entry, attempt, %(output)s, sensitive, false, null,
        clock_timestamp(), clock_timestamp()
    from workflows_steprecord where id = %(record)s
    returning instance_id as id, generation),
{_LOGGED}
select id from moved
""",
)
