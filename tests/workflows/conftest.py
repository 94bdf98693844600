"""Trial instances, and drains that run in a thread of the test."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from tests.trial.stages import ENTRIES
from workflows.claims import claim_due
from workflows.connection import EngineConnection
from workflows.dispatch import create_instance
from workflows.drain import Drain
from workflows.graphs import store_graph
from workflows.models import Instance, Status
from workflows.statements import drains
from workflows.verbs import pause, terminate

ENDED = (Status.COMPLETE, Status.ERRORED, Status.TERMINATED)


class Trial:
    """Makes instances of the trial workflow and waits for what becomes of them."""

    def __init__(self, marks: Path) -> None:
        self.path = marks

    def create(
        self,
        *,
        key: str = "",
        partition: str = "p",
        entries: list[dict[str, Any]] | None = None,
        **order: Any,
    ) -> Instance:
        """Create an instance that is ordered to behave so."""
        made = create_instance(
            workflow="trial",
            key=key or uuid.uuid4().hex,
            partition=partition,
            graph=store_graph(entries or ENTRIES, workflow="trial").pk,
            envelope={"marks": str(self.path)} | order,
            trigger="command",
        )
        return Instance.objects.get(pk=made)

    def stand_in(self, state: str) -> Instance:
        """Create an instance and bring it into a state by what really leads there."""
        waits: dict[str, dict[str, Any]] = {
            "waiting: sleep": {"sleep": 3600, "name": "pause"},
            "waiting: event": {"wait": "approval"},
        }
        order: dict[str, dict[str, Any]] = {
            "waiting: retry": {"fail_times": 1, "delay": 600},
            "waiting: operator": {"park": True},
            "errored": {"refuse": True},
            "terminated": {"park": True},
            "paused": {"seconds": 0.3},
        }
        entries = [ENTRIES[0], waits[state], *ENTRIES[1:]] if state in waits else None
        instance = self.create(entries=entries, **order.get(state, {}))
        instance_id = str(instance.instance_id)
        if state == "queued":
            return instance
        if state == "running":
            engine = EngineConnection("test")
            drain = enter(engine)
            assert claim_due(engine, drain=drain, slots=1, with_suspect=False)
            engine.close()
        elif state == "paused":
            with standing_drain():
                wait_until(lambda: bool(self.marks()))
                pause(instance_id, actor="ann")
                wait_until(lambda: is_in(instance, Status.PAUSED))
        else:
            with standing_drain():
                wait_until(lambda: _stands(instance))
            if state == "terminated":
                terminate(instance_id, actor="ann")
        instance.refresh_from_db()
        return instance

    def marks(self) -> list[str]:
        """What steps have done so far, in order."""
        return self.path.read_text().splitlines() if self.path.exists() else []


def enter(engine: EngineConnection, *, lease: timedelta = timedelta(minutes=1)) -> int:
    """Make a drain's row, as a worker slot does."""
    row = {"cluster": "", "host": "elsewhere", "pid": 1, "process_started": "1"}
    parameters = row | {"code_version": "", "threads": 1, "lease": lease}
    made: int = engine.fetch(drains.ENTER, parameters)[0][0]
    return made


@pytest.fixture
def trial(tmp_path: Path, transactional_db: None) -> Trial:
    return Trial(tmp_path / "marks")


def wait_until(condition: Callable[[], Any], *, seconds: float = 30) -> None:
    """Look until the condition holds; a test that waits in vain fails here."""
    waited = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        waited.wait(0.02)
    raise AssertionError("what the test waited for did not happen")


def is_in(instance: Instance, *states: int) -> bool:
    """Whether the instance stands in one of the states now."""
    instance.refresh_from_db()
    return instance.status in states


@contextmanager
def standing_drain() -> Iterator[Drain]:
    """A drain at work in a thread of this process; it is stopped at the end."""
    stopping = threading.Event()
    drain = Drain(stopping)

    def work() -> None:
        drain.run(timedelta(minutes=5))
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield drain
    finally:
        stopping.set()
        thread.join()


def run_to_end(*instances: Instance) -> None:
    """Let a drain drive the instances until each has ended or waits for a person."""
    with standing_drain():
        for instance in instances:
            wait_until(partial(_has_ended_or_waits, instance))


def _stands(instance: Instance) -> bool:
    return is_in(instance, *ENDED, Status.WAITING) and instance.owner is None


def _has_ended_or_waits(instance: Instance) -> bool:
    ended = is_in(instance, *ENDED)
    return ended or (instance.status == Status.WAITING and instance.due_at is None)
