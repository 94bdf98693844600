"""The statements that empty instances which have outlived their workflow's retention."""

from workflows.statements.statement import Statement

_DUE = """
workflow = %(workflow)s and status = any(%(ended)s) and pruned_at is null
    and finished_at < clock_timestamp() - %(age)s
"""

COUNT_DUE = Statement(
    "pruning.count_due", f"select count(*) from workflows_instance where {_DUE} and status > 3"
)

# The fence goes up: a retry that was read before it and is written after it is refused.
PRUNE = Statement(
    "pruning.prune",
    f"""
with due as materialized (
    select id from workflows_instance where {_DUE} and status > 3
    order by finished_at limit %(limit)s for no key update skip locked),
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
