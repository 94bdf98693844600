"""How long a claim takes with few and with very many queued, and while a snapshot is held open."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from statistics import median, quantiles

from django.db import connection

from publishing.benches.engine import workload
from publishing.benches.engine.yardsticks import connect
from publishing.benches.report import BenchError, Figure, Size
from workflows.claims import claim_due
from workflows.connection import EngineConnection
from workflows.models import Instance, Status
from workflows.processes import Process
from workflows.statements import drains

SLOTS = 16
# Nine tenths stand in one partition, a fortieth sleeps, one instance is alone in its own.
FILL = """
insert into workflows_instance (workflow, key, partition, graph_id, trigger, payload_hash,
    generation, status, reason, position, attempt, failures, crashes, fence, due_at, rank, inbox,
    pause_requested, created_at)
select 'bench', 'q' || n, case when n = 1 then 'alone' when n %% 10 = 0 then 'p' || n %% 6
    else 'bench' end, %(graph)s, 'command', '', 1,
    case when n %% 40 = 7 then 2 else 0 end, case when n %% 40 = 7 then 'sleep' end,
    0, 0, 0, 0, 0,
    clock_timestamp() + case when n %% 40 = 7 then interval '1 day' else interval '0' end,
    1, 0, false, clock_timestamp()
from generate_series(1, %(count)s) n
"""


@dataclass(frozen=True)
class Span:
    """How many are queued, how often is claimed, and how long the snapshot is held."""

    few: int
    many: int
    claims: int
    snapshot_seconds: float


SPANS = {Size.FULL: Span(2000, 2_000_000, 100, 60.0), Size.QUICK: Span(400, 800, 8, 0.2)}


def measure(size: Size, done: Counter[str]) -> list[Figure]:
    """Claim by the drain's own call, sixteen at a time."""
    span = SPANS[size]
    few = _claim_among(span.few, span.claims, done)
    many = _claim_among(span.many, span.claims, done)
    held = _while_snapshot_is_held(span, done)
    return [
        *_figures(f"a claim of {SLOTS} among {span.few:,}", few),
        *_figures(f"a claim of {SLOTS} among {span.many:,}", many),
        Figure("ratio of the two medians", "x", [median(many) / median(few)]),
        *_figures(f"the same, a snapshot held for {span.snapshot_seconds:g} s", held),
    ]


def _claim_among(queued: int, claims: int, done: Counter[str]) -> list[float]:
    workload.forget_all()
    with connection.cursor() as cursor:
        graph = workload.graph_of(workload.EIGHT)
        cursor.execute(FILL, {"graph": graph, "count": queued})
        cursor.execute("vacuum analyze workflows_instance")
    with _Claimer() as claimer:
        times = [claimer.claim() for _ in range(claims)]
    done["claims"] += claims
    if Instance.objects.filter(status=Status.RUNNING).count() != claims * SLOTS:
        raise BenchError(f"{claims} claims of {SLOTS} did not claim {claims * SLOTS} instances")
    if not Instance.objects.filter(partition="alone", status=Status.RUNNING).exists():
        raise BenchError("a partition's single instance was not served in its turn")
    return times[1:]  # the first one plans


def _while_snapshot_is_held(span: Span, done: Counter[str]) -> list[float]:
    """Claim for as long as an old snapshot keeps every dead row; return the last tenth's times."""
    times: list[float] = []
    with connect() as session, session.transaction(), _Claimer() as claimer:
        session.execute("set transaction isolation level repeatable read")
        session.execute("select count(*) from workflows_drain")
        until = time.monotonic() + span.snapshot_seconds
        while time.monotonic() < until and not claimer.is_empty:
            times.append(claimer.claim())
    done["claims"] += len(times)
    return times[-max(2, len(times) // 10) :]


class _Claimer:
    """A drain that claims and drives nothing."""

    def __enter__(self) -> "_Claimer":
        self._connection = EngineConnection("presswork bench claimer")
        me = Process.current()
        row = {"cluster": "bench", "host": me.host, "pid": me.pid, "process_started": me.started}
        parameters = {"code_version": "", "threads": SLOTS, "lease": timedelta(hours=1)}
        self._drain = self._connection.fetch(drains.ENTER, row | parameters)[0][0]
        self.is_empty = False
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def claim(self) -> float:
        """Claim once; return how long it took, in milliseconds."""
        begun = time.perf_counter()
        claims = claim_due(self._connection, drain=self._drain, slots=SLOTS, with_suspect=True)
        self.is_empty = len(claims) < SLOTS
        return (time.perf_counter() - begun) * 1000


def _figures(name: str, times: list[float]) -> list[Figure]:
    cuts = quantiles(times, n=100)
    return [Figure(f"{name}, p50", "ms", [cuts[49]]), Figure(f"{name}, p99", "ms", [cuts[98]])]
