"""The statement of group commit: many checkpoints, of as many instances, in one commit."""

from workflows.models import Rank, Status
from workflows.statements.statement import Statement

# `checkpoints.advance` and `checkpoints.complete` of many, each judged by itself: what comes back,
# by its place among those asked, was accepted. The rows are locked in the order of their ids, so
# that no two batches deadlock, and an instance that is moved on keeps every indexed column.
# Written as `status + 0` it tempts no planner into the index of all that run.
_STAYS = "not a.is_last and i.pause_requested"
RECORD_MANY = Statement(
    "records.record_many",
    f"""
with asked as materialized (
    select * from jsonb_to_recordset(%(items)s::jsonb) as a (
        place int, instance bigint, fence bigint, position bigint, attempt bigint, drain bigint,
        started_at timestamptz, entry text, sensitive boolean, is_last boolean, output jsonb)),
held as materialized (
    select id from workflows_instance where id = any(array(select instance from asked))
    order by id for no key update),
moved as (
    update workflows_instance i set
        position = i.position + 1, failures = 0, crashes = 0, error = null, policy = null,
        deadline_at = null, pause_requested = false,
        attempt = case when a.is_last or i.pause_requested then 0 else 1 end,
        status = case when a.is_last then {Status.COMPLETE:d}
                      when i.pause_requested then {Status.PAUSED:d} else i.status end,
        owner = case when a.is_last or i.pause_requested then null else i.owner end,
        fence = case when {_STAYS} then i.fence + 1 else i.fence end,
        rank = case when {_STAYS} then {Rank.WOKEN:d} else i.rank end,
        wake_at = case when {_STAYS} then clock_timestamp() end,
        attempt_started_at = case when a.is_last then i.attempt_started_at
                                  else clock_timestamp() end,
        finished_at = case when a.is_last then clock_timestamp() end
    from asked a
    where i.id = any(array(select id from held)) and i.id = a.instance and i.fence = a.fence
      and i.position = a.position and i.attempt = a.attempt and i.status + 0 = {Status.RUNNING:d}
    returning i.id, i.generation, i.inbox, a.*, i.owner is not null as goes_on,
        case when a.is_last then i.finished_at else i.attempt_started_at end as now_at),
recorded as (
    insert into workflows_steprecord (instance_id, generation, position, entry, attempt, output,
        sensitive, superseded, drain, started_at, finished_at)
    select id, generation, position, entry, attempt, output, sensitive, false, drain,
        started_at, now_at from moved),
logged as (
    insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why, at)
    select pg_current_xact_id()::text::bigint, id, generation, 'complete', '', '', now_at
    from moved where is_last)
select place, now_at, goes_on, case when is_last then 0 else inbox end from moved
""",
)
