"""No statement reads a table that grows from end to end, however many rows stand in it.

Plans are the generic ones, as a prepared statement has them: a plan made for one parameter set
hides what the server does from the sixth run on.
"""

import pkgutil
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.trial.stages import ENTRIES
from workflows import statements
from workflows.drift import find_drift
from workflows.graphs import store_graph
from workflows.listing import Filter, latest_instance_id, list_instances
from workflows.models import Instance
from workflows.statements import Statement

ROWS = 100_000
SCAN = re.compile(
    r"Seq Scan on workflows_(?:instance|steprecord|attempt|event|logentry|envelope)\b"
)

# A tenth is open, and a tenth of those is due; what ended has three records each, as usual.
FILL = f"""
set session_replication_role = replica;
insert into workflows_instance (workflow, key, partition, graph_id, trigger, payload_hash,
    generation, status, reason, position, attempt, failures, crashes, fence, owner, due_at, rank,
    inbox, pause_requested, created_at, started_at, finished_at)
select 'trial', 'k' || n, 'p' || n % 8, graph.id, 'api', '', 1, state.status,
    case when state.status = 2 then (array['retry', 'event', 'operator'])[n % 3 + 1] end,
    case when state.status = 6 then 3 else n % 3 end, 0, 0, 0, 0,
    case when state.status = 1 then n % 4 + 1 end,
    case when state.status in (0, 2) and n % 3 = 0 then clock_timestamp() end,
    case when n % 5000 = 0 then 2 else n % 2 end, 0, false, at, at,
    case when state.status > 3 then at end
from generate_series(1, {ROWS}) n, (select max(id) as id from workflows_stepgraph) graph,
    lateral (select clock_timestamp() - n * interval '1 minute' as at) times,
    lateral (select case when n % 10 > 0 then 6 else (array[0, 1, 2, 2, 3, 4, 5])[n / 10 % 7 + 1]
             end as status) state;
insert into workflows_envelope (instance_id, data)
select id, '{{"marks": "x"}}' from workflows_instance;
insert into workflows_steprecord (instance_id, generation, position, entry, attempt, output,
    sensitive, superseded, drain, started_at, finished_at)
select id, 1, p - 1, (array['trial_first', 'trial_second', 'trial_third'])[p], 1,
    '{{"said": "x"}}', false, false, 1, created_at, created_at
from workflows_instance i, generate_series(1, 3) p where p <= i.position;
insert into workflows_attempt (instance_id, generation, position, entry, number, outcome, drain,
    started_at, finished_at)
select id, 1, 0, 'trial_first', 1, 'failed', 1, created_at, created_at
from workflows_instance where id % 5 = 0;
insert into workflows_event (instance_id, generation, type, sender, key, sent_at)
select id, 1, 'approval', 'ann', 'k', created_at from workflows_instance where id % 5 = 0;
insert into workflows_logentry (transaction, instance_id, generation, kind, actor, why, at)
select id, id, 1, 'created', 'api', '', created_at from workflows_instance;
set session_replication_role = origin;
analyze workflows_instance, workflows_envelope, workflows_steprecord, workflows_attempt,
    workflows_event, workflows_logentry;
"""  # noqa: S608

CLAIM: dict[str, Any] = {"instance": 77, "fence": 1, "position": 1, "attempt": 1, "drain": 1}
TIMES: dict[str, Any] = {"started_at": datetime(2026, 1, 1, tzinfo=UTC)}
RECORD = CLAIM | TIMES | {"entry": "trial_first", "output": Jsonb({}), "sensitive": False}
TRY = CLAIM | TIMES | {"entry": "e", "outcome": "failed", "error": Jsonb({}), "policy": Jsonb({})}
LOG: dict[str, Any] = {"kind": "waiting", "why": "because"}
LOOK = CLAIM | {"generation": 1, "entry": "trial_first"}
VERB: dict[str, Any] = {
    "instance_id": "trial-k77",
    "verb": "retry",
    "actor": "ann",
    "why": "",
    "details": Jsonb({}),
}
ORDER: dict[str, Any] = {
    "workflow": "trial",
    "key": "new",
    "partition": "p1",
    "graph": 1,
    "trigger": "api",
    "payload_hash": "",
    "envelope": Jsonb({}),
}
PROCESS: dict[str, Any] = {
    "cluster": "",
    "host": "h",
    "pid": 1,
    "process_started": "1",
    "code_version": "1",
    "threads": 1,
}
A_MINUTE = timedelta(minutes=1)
SLOTS: dict[str, Any] = {"drain": 1, "slots": 16, "seed": "s"}
PRUNING: dict[str, Any] = {"workflow": "trial", "ended": [6], "age": A_MINUTE}

# What each statement is given; a new one without an entry here fails a test.
BOUND: dict[str, dict[str, Any]] = {
    "checkpoints.advance": RECORD,
    "checkpoints.advance_with_event": RECORD | {"event": 7},
    "checkpoints.complete": RECORD,
    "checkpoints.complete_with_event": RECORD | {"event": 7},
    "records.record_many": {"items": Jsonb([{"place": 1, "instance": 77}])},
    "checkpoints.retry_later": TRY | {"delay": A_MINUTE},
    "checkpoints.give_up": TRY | LOG,
    "checkpoints.park": TRY | LOG | {"reason": "busy", "due_at": TIMES["started_at"]},
    "checkpoints.sleep": CLAIM | LOG | {"moment": TIMES["started_at"], "duration": A_MINUTE},
    "checkpoints.await": CLAIM | LOG | {"timeout": A_MINUTE, "inbox": 0},
    "checkpoints.release": TRY,
    "checkpoints.leave_to_newer": TRY | LOG | {"code_version": "1", "delay": A_MINUTE},
    "checkpoints.relinquish": CLAIM,
    "checkpoints.disown": CLAIM | {"error": Jsonb({})},
    "checkpoints.was_recorded": LOOK,
    "checkpoints.was_tried": LOOK,
    "checkpoints.current_try": CLAIM,
    "checkpoints.inputs": {"instance": 77, "entries": ["trial_first"]},
    "checkpoints.next_event": {"instance": 77, "generation": 1, "type": "approval"},
    "claims.lock_claims": {},
    "claims.any_due": {},
    "claims.claim": SLOTS,
    "claims.claim_suspect": SLOTS,
    "claims.envelopes": {"instances": [77]},
    "claims.give_back": {"drain": 1, "held": [1]},
    "claims.take_over": {},
    "create.wait_briefly": {},
    "create.create": ORDER,
    "create.create_many": {
        f"{name}s" if name != "payload_hash" else "payload_hashes": [
            "{}" if name == "envelope" else value
        ]
        for name, value in ORDER.items()
    },
    "drains.enter": PROCESS | {"lease": A_MINUTE},
    "drains.beat": {"drain": 1, "lease": A_MINUTE, "leaving": False, "counts": Jsonb({})},
    "drains.end": {"drains": [1]},
    "drains.beating": {},
    "drains.lapsed": {"lease": A_MINUTE},
    "drains.call": {"lease": A_MINUTE},
    "drains.forget_old": {},
    "drains.wake_for_code": {},
    "drains.count_up": {"name": "lost"},
    "events.send": {
        "instance_id": "trial-k77",
        "generation": 1,
        "type": "approval",
        "payload": Jsonb({}),
        "sender": "ann",
        "key": "k2",
        "why": "",
    },
    "health.queue": {"most": 1000},
    "health.drains": {},
    "health.overdue_schedules": {"patience": A_MINUTE},
    "health.waiting_for_code": {"most": 1000},
    "health.open": {},
    "health.totals": {},
    "history.horizon": {},
    "pruning.count_due": PRUNING,
    "pruning.prune": PRUNING | {"limit": 500},
    "verbs.retry": VERB,
    "verbs.restart": VERB | {"position": 0, "generation": 1},
    "verbs.terminate": VERB,
    "verbs.pause": VERB,
    "verbs.resume": VERB,
    "verbs.replace_output": {"instance_id": "trial-k77", "entry": "e", "output": Jsonb({})},
    "verbs.record_replaced": VERB | {"output": Jsonb({}), "record": 7},
}
TYPES = {
    bool: "boolean",
    int: "bigint",
    str: "unknown",
    timedelta: "interval",
    datetime: "timestamptz",
    Jsonb: "jsonb",
}
FILTERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "status": {"status": ("errored",)},
    "two statuses": {"status": ("queued", "running")},
    "reason": {"reason": ("operator",)},
    "workflow": {"workflow": "trial"},
    "partition": {"partition": "p3"},
    "trigger": {"trigger": ("api",)},
    "entry": {"entry": "trial_second"},
    "moments": {"created_after": TIMES["started_at"], "finished_after": TIMES["started_at"]},
    "ids": {"ids": ("trial-k5", "trial-k77")},
    "what needs a person": {"status": ("waiting",), "reason": ("operator", "budget")},
}


def _statements() -> dict[str, Statement]:
    found = {}
    for module in pkgutil.iter_modules(statements.__path__, "workflows.statements."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, Statement):
                found[value.name] = value
    return found


STATEMENTS = _statements()


@pytest.fixture(scope="module")
def many(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """100,000 instances with their histories, for all tests of this file."""
    with django_db_blocker.unblock():
        store_graph(ENTRIES, workflow="trial")
        with connection.cursor() as cursor:
            for part in FILL.split(";\n")[:-1]:
                cursor.execute(part)
        yield
        with connection.cursor() as cursor:
            cursor.execute("truncate workflows_instance, workflows_stepgraph cascade")
        connection.close()


def test_every_statement_has_sample_parameters() -> None:
    assert STATEMENTS.keys() == BOUND.keys()


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_no_statement_scans_what_grows(name: str, many: None) -> None:
    plan = _generic_plan(STATEMENTS[name], BOUND[name])

    assert not SCAN.findall(plan), plan


@pytest.mark.django_db
@pytest.mark.parametrize("chosen", FILTERS)
def test_no_page_of_a_list_scans_the_instances(chosen: str, many: None) -> None:
    newest = Instance.objects.latest("pk").pk

    for after in (None, newest - 50_000):
        _assert_no_scan(lambda after=after: list_instances(Filter(**FILTERS[chosen]), after=after))


@pytest.mark.django_db
def test_the_newest_id_is_found_without_a_scan(many: None) -> None:
    _assert_no_scan(latest_instance_id)


@pytest.mark.django_db
def test_the_gate_before_a_deploy_reads_open_instances_only(many: None) -> None:
    _assert_no_scan(find_drift)


def _generic_plan(statement: Statement, bound: dict[str, Any]) -> str:
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    text = re.sub(r"%\((\w+)\)s", number, statement).replace("%%", "%")
    if names:
        types = ", ".join(_type(bound[name]) for name in names)
        values = ", ".join(sql.Literal(bound[name]).as_string() for name in names)
        head, call = f"prepare planned ({types}) as ", f"planned ({values})"
    else:
        head, call = "prepare planned as ", "planned"
    with connection.cursor() as cursor:
        cursor.execute("set local plan_cache_mode = force_generic_plan")
        cursor.execute(head + text)
        cursor.execute(f"explain execute {call}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("deallocate planned")
    return plan


def _type(value: object) -> str:
    if isinstance(value, list):
        return f"{'text' if isinstance(value[0], str) else TYPES[type(value[0])]}[]"
    return TYPES[type(value)]


def _assert_no_scan(work: Any) -> None:
    """Explain every query of the work, as it was sent."""
    with CaptureQueriesContext(connection) as sent:
        work()
    with connection.cursor() as cursor:
        for query in sent.captured_queries:
            cursor.execute("explain " + query["sql"].replace("%", "%%"), [])
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert not SCAN.findall(plan), f"{query['sql']}\n{plan}"
