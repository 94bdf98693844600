"""The statement that creates an instance; the generated, unique ID decides who is first."""

from typing import Any

from django.db import connection
from psycopg.types.json import Jsonb

from workflows.models import Rank, Status

_CREATE = f"""
with made as (
    insert into workflows_instance (
        workflow, key, partition, graph_id, trigger, payload_hash, generation, status, position,
        attempt, failures, crashes, fence, due_at, rank, inbox, pause_requested, created_at)
    values (%(workflow)s, %(key)s, %(partition)s, %(graph)s, %(trigger)s, %(payload_hash)s, 1,
        {Status.QUEUED:d}, 0, 0, 0, 0, 0, clock_timestamp(), {Rank.NEW:d}, 0, false,
        clock_timestamp())
    on conflict (instance_id) do nothing
    returning id, created_at),
enveloped as (
    insert into workflows_envelope (instance_id, data) select id, %(envelope)s from made),
logged as (
    insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why, at)
    select pg_current_xact_id()::text::bigint, id, 1, 'created', %(trigger)s, '', created_at
    from made)
select id from made
"""


def insert_instance(*, envelope: dict[str, Any], **columns: object) -> int | None:
    """Insert instance, envelope and log line on Django's connection; None if the ID is taken."""
    parameters: dict[str, Any] = {**columns, "envelope": Jsonb(envelope)}
    with connection.cursor() as cursor:
        # A twin that has not committed yet holds the ID: wait for it, but not for ever.
        cursor.execute("select set_config('lock_timeout', '2s', true)")
        cursor.execute(_CREATE, parameters)
        row = cursor.fetchone()
    return row[0] if row else None
