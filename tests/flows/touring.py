"""Tours among workers that die: making them, letting them go on, and what must hold at the end."""

import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models.functions import Now

from tests.flows.nursery import Child, Nursery
from tests.tour.stages import TOURS
from tests.workflows.conftest import wait_until
from workflows.dispatch import Order, create_instances
from workflows.events import send_event
from workflows.graphs import store_graph
from workflows.models import Drain, Instance, Rank, Reason, Status, StepRecord
from workflows.processes import Process
from workflows.statements import execute
from workflows.statements.drains import END
from workflows.verbs import terminate

BATCH = 4
WAITED_FOR = {"approval": "review", "goodbye": "farewell"}


class Tours:
    """The tours of one test."""

    def __init__(self, marks: Path) -> None:
        self._marks = marks

    def begin(self, tour: str, count: int = BATCH, **columns: Any) -> None:
        """Create some; columns bring them into a state that is hard to come by."""
        graph = store_graph(TOURS[tour], workflow="tour").pk
        at = (datetime.now(UTC) + timedelta(seconds=0.1)).isoformat()
        envelope = {"marks": str(self._marks), "at": at}
        keys = [uuid.uuid4().hex[:12] for _ in range(count)]
        orders = [Order("tour", key, "p", graph, envelope, "command") for key in keys]
        with transaction.atomic():
            created = create_instances(orders)
            if columns:
                Instance.objects.filter(pk__in=[each.pk for each in created]).update(**columns)

    def send_events(self) -> None:
        """Send each tour that waits for an event the one that it waits for."""
        waiting = Instance.objects.filter(status=Status.WAITING, reason=Reason.EVENT)
        for instance in waiting.filter(workflow="tour", due_at__gt=Now()).select_related("graph"):
            kind = instance.graph.entries[instance.position]["wait"]
            if kind in WAITED_FOR:
                send_event(str(instance.instance_id), kind, sender="test", key=f"{kind}")

    def have_ended(self) -> bool:
        """Whether all have, once their events are sent."""
        self.send_events()
        return not Instance.objects.filter(status__lt=Status.ERRORED).exists()

    def marks(self) -> Counter[tuple[str, str, int]]:
        """Return how often each attempt at each entry was begun."""
        lines = self._marks.read_text().splitlines() if self._marks.exists() else []
        split = [line.split() for line in lines]
        return Counter((key, entry, int(attempt)) for key, entry, attempt in split)


def kill_one(
    nursery: Nursery,
    tours: Tours,
    faults: str,
    *,
    tour: str,
    columns: Mapping[str, Any] | None = None,
    **child: Any,
) -> Child:
    """Fork a worker with the faults, and begin tours until it has died of them.

    Args:
        columns: bring those tours into a state that is hard to come by.
    """
    victim = nursery.drain(faults, **child)
    looks = iter(range(10_000))

    def has_died() -> bool:
        if next(looks) % 25 == 0:
            tours.begin(tour, **(columns or {}))
        tours.send_events()
        return victim.code() is not None

    wait_until(has_died)
    assert victim.code() == -9, f"{faults}: ended with {victim.code()}"
    bury_the_dead()
    return victim


def bury_the_dead() -> None:
    """End the drains whose process is gone, as qcluster's own process does."""
    standing = Drain.objects.filter(ended_at=None)
    dead = [row.pk for row in standing if Process(row.host, row.pid, row.process_started).is_gone()]
    execute(END, {"drains": dead})


def bring_forward() -> None:
    """Let what waits for its moment have it now."""
    waiting = Instance.objects.filter(status=Status.WAITING, reason__in=["retry", "code"])
    waiting.filter(due_at__gt=Now()).update(due_at=Now(), wake_at=Now())


def terminate_running(pid: int) -> None:
    """Terminate what the process drives."""
    drains = Drain.objects.filter(pid=pid).values_list("pk", flat=True)
    for instance in Instance.objects.filter(owner__in=drains):
        terminate(str(instance.instance_id), actor="ann")


SUSPECT: dict[str, Any] = {"crashes": 1, "rank": Rank.SUSPECT}
ORPHAN: dict[str, Any] = {
    "status": Status.RUNNING,
    "owner": -1,
    "due_at": None,
    "fence": 1,
    "attempt": 1,
}


def check_everything(tours: Tours) -> None:
    """Assert what B promises of every crash: nothing lost, repeated, stuck or waiting."""
    assert not Instance.objects.filter(status__lt=Status.ERRORED).exists()
    assert not Instance.objects.filter(owner__isnull=False).exists()
    assert not Instance.objects.filter(due_at__isnull=False).exists()
    assert sessions_that_wait() == 0
    refused = Instance.objects.filter(status=Status.ERRORED)
    assert {row.error["message"] for row in refused if row.error} <= {"no further"}
    records = StepRecord.objects.select_related("instance__graph")
    live = Counter((row.instance_id, row.entry, row.generation) for row in records)
    assert set(live.values()) <= {1}
    for instance in Instance.objects.filter(status=Status.COMPLETE).select_related("graph"):
        names = [entry.get("name") for entry in instance.graph.entries]
        assert list(instance.records.order_by("id").values_list("entry", flat=True)) == names
    _check_effects(tours, {(row.instance.key, row.entry): row.attempt for row in records})


def _check_effects(tours: Tours, recorded: dict[tuple[str, str], int]) -> None:
    marks = tours.marks()
    assert set(marks.values()) <= {1}
    again = [mark for mark in marks if mark[2] > recorded.get(mark[:2], mark[2])]
    assert again == []
    transactional = {
        place: attempt for place, attempt in recorded.items() if "transactional" in place[1]
    }
    left = Counter(Group.objects.values_list("name", flat=True))
    assert left == Counter(f"{key} {entry} {at}" for (key, entry), at in transactional.items())


def sessions_that_wait() -> int:
    """Count the database's sessions that wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity "
            "where datname = current_database() and wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])
