"""An ID is created at most once, for ever."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction
from django_q.models import OrmQ

from tests.workflows.conftest import Trial
from workflows.errors import CreateBusyError, DuplicateInstanceError
from workflows.models import DrainCall, Envelope, Instance, LogEntry, Status


def test_the_database_mints_the_id_from_workflow_and_key(trial: Trial) -> None:
    instance = trial.create(key="abc_1-x")

    assert instance.instance_id == "trial-abc_1-x"
    assert instance.status == Status.QUEUED
    assert instance.envelope.data == {"marks": str(trial.path)}
    assert [entry.kind for entry in instance.log.all()] == ["created"]


def test_no_code_can_write_the_id(trial: Trial) -> None:
    instance = trial.create()

    with connection.cursor() as cursor, pytest.raises(Exception, match="generated column"):
        cursor.execute(
            "update workflows_instance set instance_id = 'x' where id = %s", [instance.pk]
        )


def test_a_duplicate_is_refused_and_leaves_the_first_untouched(trial: Trial) -> None:
    first = trial.create(key="same", fail_times=1)

    with pytest.raises(DuplicateInstanceError, match="trial-same"):
        trial.create(key="same", partition="other")

    first.refresh_from_db()
    assert first.partition == "p"
    assert first.envelope.data["fail_times"] == 1
    assert (Instance.objects.count(), Envelope.objects.count(), LogEntry.objects.count()) == (
        1,
        1,
        1,
    )


def test_of_fifty_simultaneous_creators_one_is_told_created(trial: Trial) -> None:
    told: list[str] = []
    gate = threading.Barrier(50)

    def create() -> None:
        gate.wait()
        try:
            trial.create(key="once")
            told.append("created")
        except DuplicateInstanceError:
            told.append("duplicate")
        finally:
            connection.close()

    threads = [threading.Thread(target=create) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told) == ["created"] + ["duplicate"] * 49
    assert Instance.objects.count() == 1


def test_a_creation_that_rolls_back_leaves_no_row(trial: Trial) -> None:
    with transaction.atomic():
        trial.create(key="gone")
        transaction.set_rollback(True)

    assert Instance.objects.count() == 0
    trial.create(key="gone")


def test_a_twin_that_does_not_commit_is_waited_for_and_then_reported(trial: Trial) -> None:
    holding, answered = threading.Event(), threading.Event()
    trial.create(key="other")

    def hold() -> None:
        with transaction.atomic():
            trial.create(key="twin")
            holding.set()
            answered.wait(20)
        connection.close()

    twin = threading.Thread(target=hold)
    twin.start()
    holding.wait(20)
    with pytest.raises(CreateBusyError, match="trial-twin"):
        trial.create(key="twin")
    answered.set()
    twin.join()

    assert Instance.objects.filter(key="twin").count() == 1


@pytest.mark.parametrize("workflow", ["has-hyphen", "Upper", "1digit", ""])
def test_a_workflow_name_that_would_blur_ids_is_refused(trial: Trial, workflow: str) -> None:
    with pytest.raises(IntegrityError, match="workflows_instance_workflow_name"):
        Instance.objects.filter(pk=trial.create().pk).update(workflow=workflow)


@pytest.mark.parametrize("key", ["-a", "a b", "a/b", "a.b", "a\n", ""])
def test_a_key_that_is_no_word_is_refused(trial: Trial, key: str) -> None:
    with pytest.raises(IntegrityError, match="workflows_instance_key"):
        Instance.objects.filter(pk=trial.create().pk).update(key=key)


def test_of_many_creators_one_calls_for_a_drain_where_none_stands(trial: Trial) -> None:
    DrainCall.objects.update(called_at="2000-01-01T00:00:00Z")
    OrmQ.objects.all().delete()

    for _ in range(20):
        trial.create()

    assert OrmQ.objects.count() == 1
