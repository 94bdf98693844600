"""The statements that send an event: the inbox of the row counts up, so no waiter misses it."""

from workflows.models import Reason, Status
from workflows.statements.statement import Statement

# The row's lock orders the events of one instance; a driver that is just parking finds that the
# inbox has moved, and looks again.
SEND = Statement(
    "events.send",
    f"""
with moved as (
    update workflows_instance set
        inbox = inbox + 1,
        due_at = case when status = {Status.WAITING:d} and reason = '{Reason.EVENT}'
                      then clock_timestamp() else due_at end
    where instance_id = %(instance_id)s and pruned_at is null
      and status < {Status.ERRORED:d} and generation = coalesce(%(generation)s, generation)
    returning id, generation),
sent as (
    insert into workflows_event (instance_id, generation, type, payload, sender, key, sent_at)
    select id, generation, %(type)s, %(payload)s, %(sender)s, %(key)s, clock_timestamp()
    from moved
    on conflict (instance_id, generation, key) do nothing
    returning id, instance_id, generation),
logged as (
    insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why,
        details, at)
    select pg_current_xact_id()::text::bigint, instance_id, generation, 'event', %(sender)s,
        %(why)s, jsonb_build_object('type', %(type)s::text), clock_timestamp()
    from sent)
select (select id from moved), (select id from sent)
""",
)
