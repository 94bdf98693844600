"""A bulk operation applies its verb once to each instance, whatever stops it on the way."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.workflows.conftest import Trial, is_in, run_to_end, standing_drain, wait_until
from workflows import bulk, faults, verbs
from workflows.bulk import BulkVerb, start_bulk, stop_bulk
from workflows.errors import OrderError, PayloadError
from workflows.faults import Moment
from workflows.listing import Filter
from workflows.models import BulkOperation, Instance, LogEntry, Status

PAUSED = Filter(status=("paused",))


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    faults.arm(None)


@pytest.fixture
def paged_by_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PAGE", 4)


def make_paused(trial: Trial, count: int) -> None:
    """Make instances that stand still, so that a drain leaves them to the operation."""
    for number in range(count):
        trial.create(key=f"k{number}")
        verbs.pause(f"trial-k{number}", actor="ann")


def order(verb: str, chosen: Filter = PAUSED) -> BulkOperation:
    return start_bulk(BulkVerb(verb), chosen, actor="ann", why="tidy up")


def instance_of(operation: BulkOperation) -> Instance:
    return Instance.objects.get(instance_id=f"bulk-{operation.pk}")


def finish(operation: BulkOperation) -> None:
    """Let a drain apply the operation to its end."""
    run_to_end(instance_of(operation))
    operation.refresh_from_db()


def times_terminated() -> Counter[str]:
    """Return how often each instance was terminated."""
    lines = LogEntry.objects.filter(kind="terminate", actor="ann", why="tidy up")
    return Counter(lines.values_list("instance__key", flat=True))


def test_the_verb_is_applied_to_all_that_the_filter_found_page_by_page(
    trial: Trial, paged_by_four: None
) -> None:
    make_paused(trial, 10)
    trial.create(key="other", partition="q")

    operation = order("terminate")
    assert (operation.total, operation.state) == (10, "going")
    finish(operation)

    assert (operation.state, operation.done, operation.unchanged, operation.refused) == (
        "done", 10, 0, 0,
    )  # fmt: skip
    assert operation.finished_at is not None
    assert times_terminated() == Counter({f"k{number}": 1 for number in range(10)})
    assert instance_of(operation).records.get().output == {
        "state": "done", "done": 10, "unchanged": 0, "refused": 0,
    }  # fmt: skip


def test_instances_that_are_created_later_are_left_alone(trial: Trial) -> None:
    make_paused(trial, 2)
    operation = order("terminate")
    late = trial.create(key="late")
    verbs.pause("trial-late", actor="ann")

    finish(operation)

    assert set(times_terminated()) == {"k0", "k1"}
    assert is_in(late, Status.PAUSED)


def test_a_stopped_operation_ends_after_its_page_and_keeps_what_it_did(
    trial: Trial, paged_by_four: None
) -> None:
    make_paused(trial, 10)
    operation = order("terminate")
    stops: list[bool] = []

    def stop(statement: str, moment: Moment) -> None:
        if (statement, moment) == ("verbs.terminate", "after"):
            stops.append(stop_bulk(operation.pk))

    faults.arm(stop)
    finish(operation)

    assert stops == [True, False, False, False]
    assert (operation.state, operation.done) == ("stopped", 4)
    assert set(times_terminated()) == {"k0", "k1", "k2", "k3"}
    assert instance_of(operation).status == Status.COMPLETE
    assert not stop_bulk(operation.pk)


def test_a_crash_in_the_middle_of_a_page_repeats_no_verb_and_counts_none_twice(
    trial: Trial, paged_by_four: None
) -> None:
    make_paused(trial, 10)
    operation = order("terminate")
    applied: list[str] = []

    def crash(statement: str, moment: Moment) -> None:
        if (statement, moment) == ("verbs.terminate", "uncommitted"):
            applied.append(statement)
            if len(applied) == 6:
                raise RuntimeError("crashed as ordered")

    faults.arm(crash)
    instance = instance_of(operation)
    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))
        operation.refresh_from_db()
        assert (operation.done, sum(times_terminated().values())) == (4, 4)
        verbs.retry(str(instance.instance_id), actor="ann")
        wait_until(lambda: is_in(instance, Status.COMPLETE))

    operation.refresh_from_db()
    assert (operation.state, operation.done) == ("done", 10)
    assert times_terminated() == Counter({f"k{number}": 1 for number in range(10)})


def test_refusals_are_counted_and_the_first_twenty_quoted(trial: Trial) -> None:
    make_paused(trial, 25)
    for number in range(25):
        verbs.terminate(f"trial-k{number}", actor="bob")

    operation = order("resume", Filter(status=("terminated",)))
    finish(operation)

    assert (operation.done, operation.unchanged, operation.refused) == (0, 0, 25)
    assert len(operation.refusals) == 20
    assert operation.refusals[0] == (
        "resume: trial-k0 is terminated and has ended; nothing changed"
    )


def test_what_is_so_already_is_counted_apart(trial: Trial) -> None:
    make_paused(trial, 3)

    operation = order("pause")
    finish(operation)

    assert (operation.done, operation.unchanged, operation.refused) == (0, 3, 0)


def test_a_restart_begins_at_the_entry_and_an_event_is_sent_once(trial: Trial) -> None:
    waiting = [{"wait": "go"}, {"step": "trial_first"}, {"step": "trial_second"}]
    instances = [trial.create(key=f"w{number}", entries=waiting) for number in range(2)]
    event = BulkVerb("send-event", event="go", payload={"by": "ann"})
    finish(start_bulk(event, Filter(workflow="trial"), actor="ann"))
    run_to_end(*instances)
    again = BulkVerb("restart", entry="trial_second")
    finish(start_bulk(again, Filter(status=("complete",), workflow="trial"), actor="ann"))
    run_to_end(*instances)

    assert [instance.generation for instance in instances] == [2, 2]
    assert [instance.events.get().payload for instance in instances] == [{"by": "ann"}] * 2
    assert trial.marks().count("w0 first 1") == 1
    assert trial.marks().count("w0 second 2") == 1


@pytest.mark.parametrize(
    ("verb", "error"),
    [
        (BulkVerb("delete"), OrderError),
        (BulkVerb("send-event"), OrderError),
        (BulkVerb("retry", event="approval"), OrderError),
        (BulkVerb("send-event", event="go", payload={"nul": "\x00"}), PayloadError),
    ],
)
@pytest.mark.django_db
def test_what_cannot_be_ordered_is_refused_and_nothing_is_kept(
    verb: BulkVerb, error: type[Exception]
) -> None:
    with pytest.raises(error):
        start_bulk(verb, Filter(), actor="ann")

    assert not BulkOperation.objects.exists()
    assert not Instance.objects.exists()
