"""Whoever creates, sends or orders may be killed on the way: all of it happened, or nothing."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.flows.nursery import Nursery
from tests.flows.test_faults import breeder
from tests.tour.acts import ACTS, BULK
from tests.trial.stages import ENTRIES
from tests.workflows.conftest import Trial, trial
from workflows.bulk import BulkVerb, start_bulk
from workflows.errors import NonRetryableError, WorkflowError
from workflows.listing import Filter
from workflows.models import Drain, DrainCall, Instance, Status, Tally
from workflows.testing import Forced, run_graph
from workflows.verbs import pause

__all__ = ["breeder", "trial"]

Prepare = Callable[[Trial], str]


def _absent(trial: Trial) -> str:
    instance = trial.create()
    name = str(instance.instance_id)
    instance.delete()
    return name


def _queued(trial: Trial) -> str:
    return str(trial.create().instance_id)


def _paused(trial: Trial) -> str:
    name = _queued(trial)
    pause(name, actor="ann")
    return name


def _run(trial: Trial, forced: dict[str, list[Forced]]) -> str:
    envelope = {"marks": str(trial.path)}
    ran = run_graph(ENTRIES, workflow="trial", envelope=envelope, forced=forced)
    return str(ran.instance.instance_id)


def _errored(trial: Trial) -> str:
    return _run(trial, {"trial_second": [NonRetryableError("refused")]})


def _complete(trial: Trial) -> str:
    return _run(trial, {})


def _old_drain(trial: Trial) -> str:
    for model in (Drain, DrainCall, Tally):
        model.objects.all().delete()
    then = timezone.now() - timedelta(days=8)
    Drain.objects.create(
        host="gone",
        pid=1,
        process_started="1",
        code_version="",
        threads=1,
        started_at=then,
        beat_at=then,
        lease_until=then,
        ended_at=then,
        counts={"recorded": 3},
    )
    return ""


PREPARED: dict[str, Prepare] = {
    "create.create": _absent,
    "create.create_many": _absent,
    "events.send": _queued,
    "pruning.prune": _complete,
    "verbs.retry": _errored,
    "verbs.restart": _queued,
    "verbs.terminate": _queued,
    "verbs.pause": _queued,
    "verbs.resume": _paused,
    "verbs.replace_output": _errored,
    "verbs.record_replaced": _errored,
    "drains.call": _old_drain,
    "drains.forget_old": _old_drain,
}


def seen(name: str) -> object:
    """Return what stands in the database of an instance and its twin, or of the drains."""
    if not name:
        tallies = list(Tally.objects.values_list("name", "value"))
        return Drain.objects.count(), DrainCall.objects.count(), tallies
    return [_seen(each) for each in Instance.objects.filter(instance_id__startswith=name)]


def _seen(instance: Instance) -> object:
    # Neither fence nor inbox: an act that is repeated in vain may count them up, which only makes
    # somebody look again.
    columns = ("status", "reason", "generation", "position", "rank", "owner", "pause_requested")
    return (
        {column: getattr(instance, column) for column in columns},
        (instance.due_at is None, instance.pruned_at is None, hasattr(instance, "envelope")),
        list(instance.log.order_by("id").values_list("kind", "actor")),
        [(r.entry, r.superseded, r.output == {"said": "another"}) for r in instance.records.all()],
        list(instance.attempts.values_list("entry", "outcome")),
        list(instance.events.values_list("type", "payload", "key")),
    )


def moments_of(act: str) -> tuple[str, ...]:
    is_alone = act.startswith("drains.")  # in no transaction but its own
    return ("before", "after") if is_alone else ("before", "uncommitted", "after")


@pytest.mark.parametrize("act", ACTS)
def test_an_act_whose_process_is_killed_is_whole_or_undone_and_can_be_repeated(
    breeder: Nursery, trial: Trial, act: str
) -> None:
    name = PREPARED[act](trial)
    ACTS[act](name)
    whole = seen(name)

    for moment in moments_of(act):
        name = PREPARED[act](trial)
        untouched = seen(name)
        assert untouched != whole

        child = breeder.act(act, name, f"{act}:{moment}")
        assert child.code(wait=True) == -9
        assert seen(name) == (whole if moment == "after" else untouched), moment

        with suppress(WorkflowError):  # what is done already may be refused, or change nothing
            ACTS[act](name)
        assert seen(name) == whole, moment


@pytest.mark.parametrize(
    ("fault", "done"), [("verbs.pause:uncommitted:3", 0), ("verbs.pause:after:1", 5)]
)
def test_a_page_of_a_bulk_operation_that_dies_is_whole_or_undone_and_applied_once(
    breeder: Nursery, trial: Trial, fault: str, done: int
) -> None:
    instances = [trial.create() for _ in range(5)]
    operation = start_bulk(BulkVerb("pause"), Filter(workflow="trial"), actor="ann")

    child = breeder.act("bulk", str(operation.pk), fault)
    assert child.code(wait=True) == -9
    operation.refresh_from_db()
    assert Instance.objects.filter(status=Status.PAUSED).count() == operation.done == done

    BULK["bulk"](str(operation.pk))
    operation.refresh_from_db()
    assert (operation.state, operation.done, operation.unchanged) == ("done", 5, 0)
    for instance in instances:
        assert instance.log.filter(kind="pause").count() == 1
