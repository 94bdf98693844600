"""Plain psycopg doing the same durable writes, in the same run: what Postgres allows here.

Two processes claim twenty instances at a time and write eight records of each, either one commit a
step, or the same step of all twenty in one commit. No contracts, no retries, no history, no fences
but one.
"""

import json
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

import psycopg
from django.db import connection

from publishing.benches.engine.cluster import postgres_cpu_seconds
from publishing.benches.engine.workload import NOTE, STEPS
from publishing.benches.report import BenchError
from publishing.benches.scratch import let_connections_go

Session = psycopg.Connection[tuple[Any, ...]]
Write = Callable[[Session, Sequence[tuple[Any, ...]]], None]
WORKERS = 2
CLAIMED = 20  # instances a claim
TABLES = """
create table yard (id text primary key, state smallint not null default 0, epoch int not null
    default 0, created_at timestamptz not null default now()) with (fillfactor = 70);
create index yard_ready on yard (created_at) where state = 0;
create table yardstep (wf text not null, idx smallint not null, name text not null, result jsonb,
    at timestamptz not null default now(), primary key (wf, idx));
"""
CLAIM = """
with c as (select id from yard where state = 0 order by created_at limit %s for update skip locked)
update yard set state = 1, epoch = epoch + 1 from c where yard.id = c.id
returning yard.id, yard.epoch
"""
STEP = """
insert into yardstep (wf, idx, name, result)
select id, %s, %s, %s from yard where id = %s and epoch = %s and state = 1 on conflict do nothing
"""
DONE = "update yard set state = 2 where id = %s and epoch = %s and state = 1"
STEPS_OF_ALL = """
insert into yardstep (wf, idx, name, result)
select w.id, %s, %s, u.r::jsonb from unnest(%s::text[], %s::int[], %s::text[]) u(id, ep, r)
join yard w on w.id = u.id and w.epoch = u.ep and w.state = 1 on conflict do nothing
"""
ALL_DONE = """
update yard set state = 2 from unnest(%s::text[], %s::int[]) u(id, ep)
where yard.id = u.id and yard.epoch = u.ep and state = 1
"""


@dataclass(frozen=True)
class Spent:
    """What a number of instances has taken.

    Attributes:
        worker_ms: CPU time of the workers for each instance.
        postgres_ms: CPU time of the server for each instance.
    """

    per_second: float
    worker_ms: float
    postgres_ms: float

    @property
    def all_ms(self) -> float:
        """CPU time for each instance, all in."""
        return self.worker_ms + self.postgres_ms


def connect() -> Session:
    """Return a session of its own on the database of the bench."""
    parameters: dict[str, Any] = connection.get_connection_params()
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool"):
        parameters.pop(ours, None)
    return psycopg.connect(**parameters, autocommit=True)


def measure_yardstick(name: str, count: int) -> Spent:
    """Write so many instances' steps.

    Raises:
        BenchError: not all were written.
    """
    with connect() as session:
        session.execute("drop table if exists yard, yardstep")
        session.execute(TABLES)
        session.execute(
            "insert into yard (id) select 'publish-q' || g from generate_series(1, %s::int) g",
            [count],
        )
    let_connections_go()
    context = multiprocessing.get_context("fork")
    ready, cpu = context.Barrier(WORKERS + 1), context.Value("d", 0.0)
    workers = [
        context.Process(target=_work, args=(YARDSTICKS[name], ready, cpu)) for _ in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    postgres, begun = postgres_cpu_seconds(), time.perf_counter()
    for worker in workers:
        worker.join()
    seconds, postgres = time.perf_counter() - begun, postgres_cpu_seconds() - postgres
    with connect() as session:
        done = session.execute(
            "select (select count(*) from yard where state = 2), (select count(*) from yardstep)"
        ).fetchone()
        session.execute("drop table yard, yardstep")
    if done != (count, count * len(STEPS)):
        raise BenchError(f"the {name} wrote {done} of {count} instances and their steps")
    return Spent(count / seconds, cpu.value / count * 1000, postgres / count * 1000)


def _work(write: Write, ready: Barrier, cpu: Any) -> None:
    with connect() as session:
        ready.wait()
        begun = time.process_time()
        while rows := session.execute(CLAIM, [CLAIMED]).fetchall():
            write(session, rows)
    with cpu.get_lock():
        cpu.value += time.process_time() - begun


def _one_commit_a_step(session: Session, rows: Sequence[tuple[Any, ...]]) -> None:
    for name, epoch in rows:
        for number, step in enumerate(STEPS):
            session.execute(STEP, [number, step, _output(step, name), name, epoch])
        session.execute(DONE, [name, epoch])


def _group_commit(session: Session, rows: Sequence[tuple[Any, ...]]) -> None:
    names, epochs = [row[0] for row in rows], [row[1] for row in rows]
    for number, step in enumerate(STEPS):
        outputs = [_output(step, name) for name in names]
        session.execute(STEPS_OF_ALL, [number, step, names, epochs, outputs])
    session.execute(ALL_DONE, [names, epochs])


def _output(step: str, name: str) -> str:
    return json.dumps({"step": step, "brief": name, "ok": True, "cost_usd": 0.0125, "note": NOTE})


YARDSTICKS: Mapping[str, Write] = {
    "yardstick, one commit a step": _one_commit_a_step,
    "yardstick, group commit": _group_commit,
}
