"""The statements that create instances; the generated, unique ID decides who is first."""

from workflows.models import Rank, Status
from workflows.statements.statement import Statement

# A twin that has not committed yet holds the ID: wait for it, but not for ever.
WAIT_BRIEFLY = Statement("create.wait_briefly", "select set_config('lock_timeout', '2s', true)")

_COLUMNS = """
workflow, key, partition, graph_id, trigger, payload_hash, generation, status, position,
        attempt, failures, crashes, fence, due_at, rank, inbox, pause_requested, created_at
"""
_FRESH = f"""
1, {Status.QUEUED:d}, 0, 0, 0, 0, 0, clock_timestamp(), {Rank.NEW:d}, 0, false,
        clock_timestamp()
"""

CREATE = Statement(
    "create.create",
    f"""
with made as (
    insert into workflows_instance ({_COLUMNS})
    values (%(workflow)s, %(key)s, %(partition)s, %(graph)s, %(trigger)s, %(payload_hash)s,
        {_FRESH})
    on conflict (instance_id) do nothing
    returning id, created_at),
enveloped as (
    insert into workflows_envelope (instance_id, data) select id, %(envelope)s from made),
logged as (
    insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why, at)
    select pg_current_xact_id()::text::bigint, id, 1, 'created', %(trigger)s, '', created_at
    from made)
select id from made
""",
)

# Sorted by ID, so that two batches with the same keys wait for each other instead of deadlocking.
CREATE_MANY = Statement(
    "create.create_many",
    f"""
with asked as materialized (
    select * from unnest(%(workflows)s::text[], %(keys)s::text[], %(partitions)s::text[],
        %(graphs)s::bigint[], %(triggers)s::text[], %(payload_hashes)s::text[],
        %(envelopes)s::jsonb[])
        as a (workflow, key, partition, graph, trigger, payload_hash, envelope)
    order by workflow || '-' || key),
made as (
    insert into workflows_instance ({_COLUMNS})
    select workflow, key, partition, graph, trigger, payload_hash, {_FRESH} from asked
    on conflict (instance_id) do nothing
    returning id, workflow, key, trigger, created_at),
enveloped as (
    insert into workflows_envelope (instance_id, data)
    select m.id, a.envelope from made m join asked a using (workflow, key)),
logged as (
    insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why, at)
    select pg_current_xact_id()::text::bigint, id, 1, 'created', trigger, '', created_at
    from made)
select workflow, key, id from made
""",
)
