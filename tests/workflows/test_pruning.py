"""Pruning empties what has outlived its retention, and never frees an ID."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from django.db.models import F

from tests.workflows.conftest import Trial, run_to_end
from workflows import registry
from workflows.dispatch import create_instance
from workflows.errors import DuplicateInstanceError
from workflows.events import send_event
from workflows.models import Envelope, Instance, Status
from workflows.pruning import Pruned, prune
from workflows.registry import Retention, get_workflow

RETENTION = Retention(success=timedelta(days=30), error=timedelta(days=90))


@pytest.fixture(autouse=True)
def retention() -> Iterator[None]:
    """Let the trial workflow forget."""
    before = get_workflow("trial")
    registry.register_workflow("trial", provides=before.provides, retention=RETENTION)
    yield
    registry.register_workflow("trial", provides=before.provides, retention=before.retention)


def ended(trial: Trial, *, days_ago: int, refuse: bool = False) -> Instance:
    instance = trial.create(refuse=refuse, fail_times=1)
    send_event(str(instance.instance_id), "noise", sender="ann")
    run_to_end(instance)
    at = F("finished_at") - timedelta(days=days_ago)
    Instance.objects.filter(pk=instance.pk).update(finished_at=at)
    instance.refresh_from_db()
    return instance


def test_a_pruned_instance_keeps_its_row_and_nothing_of_what_it_did(trial: Trial) -> None:
    instance = ended(trial, days_ago=31)

    assert prune("trial") == [Pruned("trial", success=1, error=0)]

    pruned = Instance.objects.get(pk=instance.pk)
    assert pruned.pruned_at is not None
    for kept in ("instance_id", "partition", "status", "created_at", "finished_at", "payload_hash"):
        assert getattr(pruned, kept) == getattr(instance, kept)
    assert not Envelope.objects.filter(pk=instance.pk).exists()
    counts = [pruned.records.count(), pruned.attempts.count(), pruned.events.count()]
    assert counts == [0, 0, 0]
    kinds = list(pruned.log.order_by("id").values_list("kind", flat=True))
    assert kinds == ["created", "event", "complete", "pruned"]


def test_the_id_of_a_pruned_instance_stays_taken_for_ever(trial: Trial) -> None:
    instance = ended(trial, days_ago=31)
    prune("trial")

    with pytest.raises(DuplicateInstanceError, match=str(instance.instance_id)):
        create_instance(
            workflow="trial", key=instance.key, partition="p", graph=instance.graph_id,
            envelope={"marks": ""}, trigger="api",
        )  # fmt: skip

    assert Instance.objects.count() == 1


def test_success_and_error_have_retentions_of_their_own(trial: Trial) -> None:
    young = ended(trial, days_ago=29)
    failed = ended(trial, days_ago=31, refuse=True)
    old = ended(trial, days_ago=91, refuse=True)

    assert prune("trial") == [Pruned("trial", success=0, error=1)]

    pruned = Instance.objects.filter(pruned_at__isnull=False)
    assert [each.pk for each in pruned] == [old.pk]
    assert {young.status, failed.status} == {Status.COMPLETE, Status.ERRORED}


def test_what_has_not_ended_is_never_pruned(trial: Trial) -> None:
    instance = trial.stand_in("waiting: sleep")
    past = F("created_at") - timedelta(days=1000)
    Instance.objects.filter(pk=instance.pk).update(created_at=past, finished_at=past)

    assert prune("trial") == [Pruned("trial", success=0, error=0)]


def test_a_workflow_without_retention_keeps_everything(trial: Trial) -> None:
    ended(trial, days_ago=10_000)
    kept = get_workflow("trial")
    registry.register_workflow("trial", provides=kept.provides, retention=None)

    assert prune("trial") == [Pruned("trial", success=0, error=0)]
    assert replace(kept, retention=Retention()).retention == get_workflow("trial").retention


def test_two_who_prune_at_once_prune_each_instance_once(trial: Trial) -> None:
    for _ in range(6):
        ended(trial, days_ago=31)
    gate = threading.Barrier(4)
    counted: list[int] = []

    def go() -> None:
        gate.wait()
        counted.append(prune("trial")[0].success)
        connections.close_all()

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counted) == 6
    assert Instance.objects.filter(log__kind="pruned").count() == 6


def test_the_command_counts_first_and_then_does_it(trial: Trial) -> None:
    ended(trial, days_ago=31)
    out = StringIO()

    call_command("prune_instances", workflow="trial", dry_run=True, stdout=out)
    assert out.getvalue() == "trial: 1 complete and 0 failed would be pruned\n"
    assert not Instance.objects.filter(pruned_at__isnull=False).exists()

    out = StringIO()
    call_command("prune_instances", workflow="trial", json=True, stdout=out)
    assert json.loads(out.getvalue()) == [{"workflow": "trial", "success": 1, "error": 0}]


@pytest.mark.django_db
def test_an_unknown_workflow_is_named_with_those_that_exist() -> None:
    with pytest.raises(CommandError, match="there are bulk, "):
        call_command("prune_instances", workflow="nothing")
