"""The statements of the operators' verbs; each is a conditional update and its audit line.

Every verb bumps the fence, so it also works on a running instance: the driver's next write is
refused.
"""

from workflows.models import Rank, Reason, Status

_LOGGED = """
logged as (
    insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why,
        details, at)
    select pg_current_xact_id()::text::bigint, id, generation, %(verb)s, %(actor)s, %(why)s,
        %(details)s, clock_timestamp() from moved)
"""

# The failed step has its whole policy again; attempts are kept and numbered on.
RETRY = f"""
with moved as (
    update workflows_instance set
        status = {Status.WAITING:d}, reason = '{Reason.RETRY}', fence = fence + 1, failures = 0,
        crashes = 0, rank = {Rank.WOKEN:d}, due_at = clock_timestamp(),
        wake_at = clock_timestamp(), finished_at = null
    where instance_id = %(instance_id)s and pruned_at is null
      and (status = {Status.ERRORED:d}
           or (status = {Status.WAITING:d} and reason <> '{Reason.SLEEP}'
               and (due_at is null or due_at > clock_timestamp())))
    returning id, generation),
{_LOGGED}
select id from moved
"""

# A new generation from an entry on; what was recorded from there on is superseded, and kept.
RESTART = f"""
with moved as (
    update workflows_instance set
        status = {Status.QUEUED:d}, reason = null, fence = fence + 1,
        generation = generation + 1, position = %(position)s, attempt = 0, failures = 0,
        crashes = 0, error = null, owner = null, attempt_started_at = null,
        rank = {Rank.WOKEN:d}, due_at = clock_timestamp(), wake_at = null, finished_at = null
    where instance_id = %(instance_id)s and pruned_at is null and position >= %(position)s
    returning id, generation),
superseded as (
    update workflows_steprecord r set superseded = true from moved
    where r.instance_id = moved.id and not r.superseded and r.position >= %(position)s),
{_LOGGED}
select id from moved
"""

TERMINATE = f"""
with moved as (
    update workflows_instance set
        status = {Status.TERMINATED:d}, reason = null, fence = fence + 1, owner = null,
        due_at = null, wake_at = null, finished_at = clock_timestamp()
    where instance_id = %(instance_id)s and pruned_at is null
      and status not in ({Status.COMPLETE:d}, {Status.TERMINATED:d})
    returning id, generation),
{_LOGGED}
select id from moved
"""
