"""Claims are fair, bounded, and one at a time for what may kill a process."""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.trial.stages import ENTRIES
from tests.workflows.conftest import Trial, enter
from workflows.claims import Claim, claim_due, give_back_unheld, take_over_lapsed
from workflows.connection import EngineConnection
from workflows.models import Drain, Instance, Limit, Rank, Status
from workflows.statements import drains


@pytest.fixture
def engine() -> Iterator[EngineConnection]:
    connection = EngineConnection("test")
    yield connection
    connection.close()


def claim(engine: EngineConnection, drain: int, slots: int, *, suspect: bool = True) -> list[Claim]:
    return claim_due(engine, drain=drain, slots=slots, with_suspect=suspect)


def test_a_claim_makes_the_caller_owner_and_bumps_the_fence(
    trial: Trial, engine: EngineConnection
) -> None:
    instance, drain = trial.create(key="a"), enter(engine)

    (claimed,) = claim(engine, drain, 5)

    instance.refresh_from_db()
    assert (instance.status, instance.owner, instance.fence) == (Status.RUNNING, drain, 1)
    assert (claimed.instance_id, claimed.attempt, claimed.fence) == ("trial-a", 1, 1)
    assert claim(engine, drain, 5) == []


def test_a_full_partition_delays_another_by_no_more_than_one_claim(
    trial: Trial, engine: EngineConnection
) -> None:
    for _ in range(30):
        trial.create(partition="big")
    trial.create(key="single", partition="small")

    claimed = claim(engine, enter(engine), 4)

    assert "trial-single" in [c.instance_id for c in claimed]
    assert len(claimed) == 4


def test_woken_instances_go_before_new_ones(trial: Trial, engine: EngineConnection) -> None:
    for _ in range(5):
        trial.create()
    woken = trial.create(key="woken")
    Instance.objects.filter(pk=woken.pk).update(rank=Rank.WOKEN)

    (claimed,) = claim(engine, enter(engine), 1)

    assert claimed.instance_id == "trial-woken"


def test_what_is_due_later_is_not_claimed(trial: Trial, engine: EngineConnection) -> None:
    instance = trial.create()
    Instance.objects.filter(pk=instance.pk).update(due_at=datetime.now(UTC) + timedelta(hours=1))

    assert claim(engine, enter(engine), 5) == []


def test_limits_hold_under_simultaneous_claimers(trial: Trial) -> None:
    Limit.objects.create(partition="a", max_running=3)
    Limit.objects.create(partition="*", max_running=5)
    for number in range(40):
        trial.create(partition="ab"[number % 2])
    gate = threading.Barrier(6)
    taken: list[Claim] = []

    def work() -> None:
        engine = EngineConnection("test")
        drain = enter(engine)
        gate.wait()
        taken.extend(claim(engine, drain, 4))
        engine.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    running = Instance.objects.filter(status=Status.RUNNING)
    by_partition = Counter(running.values_list("partition", flat=True))
    assert len(taken) == running.count() == 5
    assert by_partition["a"] <= 3


def test_what_a_lapsed_drain_drove_becomes_a_suspect_and_its_attempt_is_kept_as_lost(
    trial: Trial, engine: EngineConnection
) -> None:
    instance, gone = trial.create(), enter(engine)
    claim(engine, gone, 1)
    Drain.objects.filter(pk=gone).update(lease_until=datetime.now(UTC) - timedelta(seconds=1))

    assert take_over_lapsed(engine) == 1
    assert take_over_lapsed(engine) == 0

    instance.refresh_from_db()
    assert (instance.status, instance.rank, instance.crashes) == (Status.WAITING, Rank.SUSPECT, 1)
    assert (instance.owner, instance.fence, instance.failures) == (None, 2, 0)
    lost = instance.attempts.get()
    assert (lost.entry, lost.number, lost.outcome, lost.drain) == ("trial_first", 1, "lost", gone)


def test_what_stands_at_a_wait_without_a_name_is_taken_over_too(
    trial: Trial, engine: EngineConnection
) -> None:
    instance, gone = trial.create(entries=[{"wait": "approval"}, *ENTRIES]), enter(engine)
    claim(engine, gone, 1)
    engine.fetch(drains.END, {"drains": [gone]})

    assert take_over_lapsed(engine) == 1

    instance.refresh_from_db()
    assert (instance.status, instance.owner, instance.crashes) == (Status.WAITING, None, 1)
    assert instance.attempts.get().entry == "approval"


def test_a_live_drain_is_not_taken_over(trial: Trial, engine: EngineConnection) -> None:
    trial.create()
    claim(engine, enter(engine), 1)

    assert take_over_lapsed(engine) == 0


def test_suspects_are_claimed_one_at_a_time(trial: Trial, engine: EngineConnection) -> None:
    for _ in range(3):
        trial.create()
    Instance.objects.update(rank=Rank.SUSPECT, crashes=1)
    trial.create(key="innocent")

    claimed = claim(engine, enter(engine), 10)

    assert sorted(c.is_suspect for c in claimed) == [False, True]
    assert claim(engine, enter(engine), 10, suspect=False) == []


def test_after_five_crashes_an_instance_ends_errored(
    trial: Trial, engine: EngineConnection
) -> None:
    instance = trial.create()
    for _ in range(5):
        drain = enter(engine)
        claim(engine, drain, 1)
        engine.fetch(drains.END, {"drains": [drain]})
        take_over_lapsed(engine)

    instance.refresh_from_db()
    assert (instance.status, instance.crashes) == (Status.ERRORED, 5)
    assert instance.error is not None
    assert instance.error["message"] == "its worker process died 5 times while it was driven"
    assert instance.attempts.filter(outcome="lost").count() == 5
    assert [entry.kind for entry in instance.log.order_by("id")] == ["created", "errored"]


def test_a_claim_that_nobody_holds_is_given_back(trial: Trial, engine: EngineConnection) -> None:
    held, lost = trial.create(key="held"), trial.create(key="lost")
    drain = enter(engine)
    claim(engine, drain, 5)

    give_back_unheld(engine, drain=drain, held=[held.pk])

    held.refresh_from_db()
    lost.refresh_from_db()
    assert (held.status, held.owner) == (Status.RUNNING, drain)
    assert (lost.status, lost.owner, lost.fence) == (Status.WAITING, None, 2)
    assert [c.instance_id for c in claim(engine, drain, 5)] == ["trial-lost"]


def test_an_owner_whose_row_is_gone_is_taken_over(trial: Trial, engine: EngineConnection) -> None:
    instance, drain = trial.create(), enter(engine)
    claim(engine, drain, 1)
    Drain.objects.all().delete()

    assert take_over_lapsed(engine) == 1
    instance.refresh_from_db()
    assert (instance.status, instance.owner) == (Status.WAITING, None)


def test_old_drains_are_forgotten_unless_they_still_own_something(
    trial: Trial, engine: EngineConnection
) -> None:
    trial.create()
    owner, idle = enter(engine), enter(engine)
    claim(engine, owner, 1)
    Drain.objects.update(lease_until="2000-01-01T00:00:00Z")

    engine.fetch(drains.FORGET_OLD, {})

    assert list(Drain.objects.values_list("pk", flat=True)) == [owner]
    assert idle != owner


def test_a_suspect_stays_one_while_it_waits(trial: Trial, engine: EngineConnection) -> None:
    instance, drain = trial.create(), enter(engine)
    Instance.objects.update(crashes=1, rank=Rank.SUSPECT)
    claim(engine, drain, 1)

    give_back_unheld(engine, drain=drain, held=[])

    instance.refresh_from_db()
    assert (instance.crashes, instance.rank) == (1, Rank.SUSPECT)
