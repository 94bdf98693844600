"""The statements that empty instances which have outlived their workflow's retention."""

from workflows.statements.statement import Statement

# State by state: within one the index has them by age, so that a batch is read and no more.
_DUE = """
from unnest(%(ended)s::smallint[]) ended(state) cross join lateral (
    select {columns} from workflows_instance
    where workflow = %(workflow)s and status = ended.state and status > 3 and pruned_at is null
        and finished_at < clock_timestamp() - %(age)s
    {rest}) due
"""

COUNT_DUE = Statement(
    "pruning.count_due",
    f"""
select coalesce(sum(due.count), 0)::bigint
{_DUE.format(columns="count(*)", rest="")}
""",
)

# The fence goes up: a retry that was read before it and is written after it is refused.
PRUNE = Statement(
    "pruning.prune",
    f"""
with due as materialized (
    select due.id
    {
        _DUE.format(
            columns="id",
            rest="order by finished_at limit %(limit)s for no key update skip locked",
        )
    }
    limit %(limit)s),
emptied as (
    update workflows_instance set
        pruned_at = clock_timestamp(), fence = fence + 1, error = null, policy = null
    where id = any(array(select id from due))
    returning id, generation),
envelopes as (
    delete from workflows_envelope where instance_id = any(array(select id from due))),
records as (
    delete from workflows_steprecord where instance_id = any(array(select id from due))),
attempts as (
    delete from workflows_attempt where instance_id = any(array(select id from due))),
events as (
    delete from workflows_event where instance_id = any(array(select id from due))),
waits as (
    delete from workflows_logentry
    where instance_id = any(array(select id from due)) and kind = 'waiting'),
logged as (
    insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why, at)
    select pg_current_xact_id()::text::bigint, id, generation, 'pruned', '', '', clock_timestamp()
    from emptied)
select count(*) from emptied
""",
)
