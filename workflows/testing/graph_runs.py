"""Run one instance to its end in the caller's thread, as one worker after another would."""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from workflows import faults
from workflows.checkpoints import Checkpoints
from workflows.claims import Claim, claim_due, give_back_unheld, take_over_lapsed
from workflows.connection import EngineConnection
from workflows.dispatch import create_instance
from workflows.graphs import load_plan, store_graph
from workflows.models import Instance, Status, Trigger
from workflows.processes import Process
from workflows.registry import code_version
from workflows.retries import RetryPolicy
from workflows.runner import drive
from workflows.statements import drains
from workflows.testing.scripts import Forced, KilledError, Script, Sent
from workflows.watchdog import RunningAttempt, fail_overdue

LOOKS_MAX = 1000  # at one instance; one that needs more goes round in circles
CLAIMED_MAX = 100  # what else is due is claimed along, and given back at the end
LEASE = timedelta(hours=1)  # longer than anybody sits at a debugger


@dataclass(frozen=True)
class GraphRun:
    """What became of the instance.

    Attributes:
        status: a `workflows.models.Status`.
        reason: what it waits for, if it waits.
        records: the recorded output of each finished entry, as JSON.
        tries: entry and outcome of each attempt that recorded nothing, in order.
        error: of the last failure that is not mended, as JSON.
        log: the kinds of its lines in the event log, in order.
    """

    instance: Instance
    status: Status
    reason: str | None
    records: dict[str, Any]
    tries: list[tuple[str, str]]
    error: Any
    log: list[str]


def run_graph(
    entries: Sequence[Mapping[str, Any]],
    *,
    workflow: str,
    envelope: dict[str, Any],
    skip_sleeps: bool = True,
    events: Sequence[Sent] = (),
    forced: Mapping[str, Sequence[Forced]] | None = None,
) -> GraphRun:
    """Create one instance, and run it as `run_instance` does.

    Args:
        entries: the graph.
        workflow: name of a registered workflow.
        envelope: what the instance is started with.
        skip_sleeps: as `run_instance` has it, like all that follows.

    Raises:
        ContractError: the graph does not fit; for the rest see `run_instance`.
    """
    _refuse_transaction()
    graph = store_graph(entries, workflow=workflow).pk
    script = Script(load_plan(graph, workflow), forced or {}, events, skips=skip_sleeps)
    instance = create_instance(
        workflow=workflow,
        key=f"test-{uuid.uuid4().hex}",
        partition="test",
        graph=graph,
        envelope=envelope,
        trigger=Trigger.COMMAND,
    )
    return _run(instance, script)


def run_instance(
    instance: int,
    *,
    skip_sleeps: bool = True,
    events: Sequence[Sent] = (),
    forced: Mapping[str, Sequence[Forced]] | None = None,
) -> GraphRun:
    """Run an instance from where it stands until it ends, or waits for what will not come.

    Args:
        instance: its primary key.
        skip_sleeps: pass over sleeps, moments, delays before retries, and timeouts of waits whose
            event is not among `events`; otherwise the first of them ends the run.
        events: what waits are given, the first of the type first.
        forced: by entry, what happens to it, in this order: an error is raised in place of the
            step; see `Timeout` and `Crash`.

    Raises:
        ImproperlyConfigured: the test has a transaction around it.
        ContractError: `forced` names an entry that the graph does not have.
        ValueError: something other than a Crash is forced on a wait.
        AssertionError: what was forced, or an event, never had its turn.
    """
    _refuse_transaction()
    row = Instance.objects.get(pk=instance)
    plan = load_plan(row.graph_id, row.workflow)
    return _run(instance, Script(plan, forced or {}, events, skips=skip_sleeps))


def _run(instance: int, script: Script) -> GraphRun:
    _work(instance, script)
    script.check_all_had_their_turn()
    return _result(instance)


def _refuse_transaction() -> None:
    if connection.in_atomic_block:
        raise ImproperlyConfigured(
            "run_graph works on connections of its own, which do not see into the test's "
            "transaction: use TransactionTestCase or @pytest.mark.django_db(transaction=True)"
        )


def _work(instance: int, script: Script) -> None:
    """Be one worker after another until the instance wants none."""
    cluster = secrets.token_hex(8)
    worker = _Worker(cluster)
    faults.arm(script.reach)
    try:
        for _ in range(LOOKS_MAX):
            if not script.goes_on(Instance.objects.get(pk=instance)):
                return
            script.attend(worker.time_out)
            try:
                worker.work(instance)
            except KilledError:
                worker.vanish()
                worker = _Worker(cluster)
    finally:
        faults.arm(None)
        worker.leave()
    raise AssertionError(f"instance {instance} was driven {LOOKS_MAX} times and came to no end")


class _Worker:
    """A drain whose one driver is the caller's thread; it is told what the driver does."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._drain = 0
        self._engine = EngineConnection("presswork test kit")
        self._checkpoints = Checkpoints(self._engine)
        self._attempt: RunningAttempt | None = None

    def work(self, instance: int) -> None:
        """Claim the instance and drive it."""
        if not self._drain:
            self._enter()
        claims = claim_due(self._engine, drain=self._drain, slots=CLAIMED_MAX, with_suspect=True)
        for claim in claims:
            if claim.instance == instance:
                drive(claim, self._checkpoints, self)

    def _enter(self) -> None:
        """End the drains of workers that died here, as a cluster does, and take over."""
        me = Process.current()
        row = {
            "cluster": self._cluster,
            "host": me.host,
            "pid": me.pid,
            "process_started": me.started,
            "code_version": code_version(),
            "threads": 1,
            "lease": LEASE,
        }
        entered: int = self._engine.fetch(drains.ENTER, row)[0][0]
        beating = self._engine.fetch(drains.BEATING, {})
        dead = [drain for drain, cluster, *_ in beating if cluster == self._cluster]
        self._engine.fetch(drains.END, {"drains": [drain for drain in dead if drain != entered]})
        take_over_lapsed(self._engine)
        self._drain = entered

    def time_out(self) -> None:
        """Fail the present attempt as the watchdog fails an overdue one."""
        if self._attempt is not None:
            fail_overdue(self._attempt, self._checkpoints)

    def vanish(self) -> None:
        """Be gone, without a word to the database."""
        self._engine.close()

    def leave(self) -> None:
        """Give back what was claimed along, and end."""
        give_back_unheld(self._engine, drain=self._drain, held=[])
        self._engine.fetch(drains.END, {"drains": [self._drain]})
        self._engine.close()

    def begins(self, claim: Claim, entry: str, policy: RetryPolicy) -> None:
        """Note the attempt."""
        self._attempt = RunningAttempt(claim, entry, policy, overdue_at=0.0)

    def ends(self) -> None:
        """Forget the attempt."""
        self._attempt = None

    def finished_a_step(self) -> None:
        """A suspect is driven like any other here."""

    def is_stopping(self) -> bool:
        """Never: the run goes on until the instance wants no worker."""
        return False


def _result(pk: int) -> GraphRun:
    instance = Instance.objects.get(pk=pk)
    live = instance.records.filter(superseded=False).order_by("position")
    return GraphRun(
        instance=instance,
        status=Status(instance.status),
        reason=instance.reason,
        records=dict(live.values_list("entry", "output")),
        tries=list(instance.attempts.order_by("id").values_list("entry", "outcome")),
        error=instance.error,
        log=list(instance.log.order_by("id").values_list("kind", flat=True)),
    )
