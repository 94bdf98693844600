"""What the database shows of all instances, in the words of the model."""

from typing import Any

from workflows.connection import EngineConnection
from workflows.statements import Statement


def _moment(column: str) -> str:
    return (
        f"case when {column} is null then null when {column} <= clock_timestamp() then 'now' "
        f"else 'later' end as {column.removesuffix('_at')}"
    )


def _history(name: str, table: str, words: str) -> str:
    return (
        f"(select coalesce(array_agg({words} order by h.id), '{{}}') "  # noqa: S608
        f"from workflows_{table} h "
        f"where h.instance_id = i.id) as {name}"
    )


_COLUMNS = (
    "i.id as pk, instance_id, generation, status, reason, position, attempt, failures, crashes, "
    "fence, owner, pause_requested, inbox, rank, pruned_at is not null as is_pruned"
)
_OUTPUT = "coalesce(h.output ->> 'value', '-')"
_HISTORIES = ", ".join(
    (
        _history(
            "records",
            "steprecord",
            f"h.generation || ' ' || h.entry || ' ' || {_OUTPUT} || ' ' || h.superseded",
        ),
        _history(
            "tries",
            "attempt",
            "h.generation || ' ' || h.position || ' ' || h.number || ' ' || h.outcome",
        ),
        _history(
            "events", "event", "h.generation || ' ' || h.type || ' ' || (h.taken_at is not null)"
        ),
        _history("log", "logentry", "h.kind"),
    )
)
_MOMENTS = ", ".join(_moment(column) for column in ("due_at", "wake_at", "deadline_at"))
INSTANCES = Statement(
    "model.instances",
    f"select to_jsonb(seen) from (select {_COLUMNS}, {_MOMENTS}, {_HISTORIES} "  # noqa: S608
    "from workflows_instance i) seen",
)
EFFECTS = Statement("model.effects", "select name from auth_group")

PASS_TIME = Statement(
    "model.pass_time",
    """
with passed as (
    update workflows_instance set due_at = due_at - interval '100 years',
        wake_at = wake_at - interval '100 years', deadline_at = deadline_at - interval '100 years',
        finished_at = finished_at - interval '100 years'
    where id = %(instance)s)
update workflows_envelope set data = data || '{"at": "2000-01-01T00:00:00Z"}'
where instance_id = %(instance)s
""",
)
LAPSE = Statement(
    "model.lapse",
    "update workflows_drain set lease_until = clock_timestamp() - interval '1 s' "
    "where id = %(drain)s",
)
FORGET = (
    "auth_group",
    "workflows_logentry",
    "workflows_event",
    "workflows_attempt",
    "workflows_steprecord",
    "workflows_envelope",
    "workflows_instance",
    "workflows_drain",
)


def instances(connection: EngineConnection) -> dict[int, dict[str, Any]]:
    """Return what is seen of each, by primary key."""
    return {row["pk"]: row for (row,) in connection.fetch(INSTANCES, {})}


def effects(connection: EngineConnection) -> list[str]:
    """Return what transactional steps have left."""
    return sorted(name.rpartition(" ")[0] for (name,) in connection.fetch(EFFECTS, {}))


def forget(connection: EngineConnection) -> None:
    """Empty the tables that an example fills."""
    for table in FORGET:
        connection.fetch(Statement(f"model.forget_{table}", f"delete from {table}"), {})  # noqa: S608


OWNED = Statement("model.owned", "select id from workflows_instance where owner = %(drain)s")
