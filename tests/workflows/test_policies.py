"""Retries, their delays and timeouts are as the step, its graph entry or its error say."""

from datetime import timedelta
from typing import Any, Literal

import pytest
from django.utils import timezone

from tests.trial import stages
from tests.trial.stages import ENTRIES
from tests.workflows.conftest import Trial, is_in, run_to_end, standing_drain, wait_until
from workflows import registry
from workflows.graphs import load_plan
from workflows.models import Instance, Status
from workflows.retries import JITTER, PolicyOverride, RetryPolicy


def with_policy(**policy: Any) -> list[dict[str, Any]]:
    return [ENTRIES[0], ENTRIES[1] | {"policy": policy}, ENTRIES[2]]


@pytest.mark.parametrize(
    ("backoff", "seconds"),
    [
        ("constant", [10, 10, 10, 10]),
        ("linear", [10, 20, 30, 40]),
        ("exponential", [10, 20, 40, 45]),
    ],
)
def test_the_delay_grows_as_its_backoff_says_up_to_the_longest_and_a_tenth_of_jitter(
    backoff: Literal["constant", "linear", "exponential"], seconds: list[int]
) -> None:
    policy = RetryPolicy(
        delay=timedelta(seconds=10), backoff=backoff, longest=timedelta(seconds=45)
    )

    for retry, expected in enumerate(seconds, 1):
        waits = [policy.delay_before(retry).total_seconds() for _ in range(50)]
        assert min(waits) >= expected
        assert max(waits) <= expected * (1 + JITTER)
        assert len(set(waits)) > 1


def test_the_defaults_are_those_of_the_platform() -> None:
    assert RetryPolicy().frozen() == {
        "retries": 5,
        "delay_seconds": 10,
        "backoff": "exponential",
        "timeout_seconds": 600,
        "longest_seconds": 3600,
    }


def test_a_graph_entry_says_otherwise_only_what_it_names() -> None:
    policy = RetryPolicy(retries=3).overridden(PolicyOverride(delay_seconds=1.5, backoff="linear"))

    assert policy == RetryPolicy(retries=3, delay=timedelta(seconds=1.5), backoff="linear")


def test_an_entry_without_retries_is_tried_once(trial: Trial) -> None:
    instance = trial.create(entries=with_policy(retries=0), fail_times=1)

    run_to_end(instance)

    assert instance.status == Status.ERRORED
    assert instance.attempts.count() == 1


def test_the_timeout_of_an_entry_ends_the_wait_for_its_step(trial: Trial) -> None:
    entries = with_policy(timeout_seconds=0.3, retries=0)
    instance, other = trial.create(entries=entries, seconds=2), trial.create()

    run_to_end(instance, other)

    assert instance.status == Status.ERRORED
    attempt = instance.attempts.get()
    assert (attempt.outcome, attempt.entry) == ("timed out", "trial_second")
    assert attempt.error == {"type": "TimedOut", "message": "took longer than 0.3 s"}
    assert other.status == Status.COMPLETE


def test_an_error_that_names_its_delay_is_obeyed(trial: Trial) -> None:
    instance = trial.create(fail_times=1, delay=3600)
    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))

    assert instance.due_at is not None
    left = instance.due_at - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


def test_an_error_that_is_wrong_for_good_is_not_retried_and_keeps_its_data(trial: Trial) -> None:
    instance = trial.create(refuse=True)

    run_to_end(instance)

    assert instance.status == Status.ERRORED
    error: Any = instance.error
    assert (error["message"], error["data"]) == ("refused as ordered", {"order": "refuse"})
    assert instance.attempts.count() == 1


def test_a_policy_is_frozen_at_the_entrys_first_failure(trial: Trial) -> None:
    """A deploy that allows fewer retries does not end what began under more."""
    instance = trial.create(fail_times=2, delay=3600)
    with standing_drain():
        wait_until(lambda: is_in(instance, Status.WAITING))
    frozen: Any = instance.policy
    assert frozen == stages.QUICK.frozen()
    shorter = registry.get_step("trial_second")
    object.__setattr__(shorter, "policy", RetryPolicy(retries=0))
    load_plan.cache_clear()
    try:
        Instance.objects.filter(pk=instance.pk).update(due_at=timezone.now())
        with standing_drain():
            wait_until(lambda: instance.attempts.count() == 2)
            wait_until(lambda: is_in(instance, Status.WAITING))
            assert instance.failures == 2
            Instance.objects.filter(pk=instance.pk).update(due_at=timezone.now())
            wait_until(lambda: is_in(instance, Status.COMPLETE))
    finally:
        object.__setattr__(shorter, "policy", stages.QUICK)
        load_plan.cache_clear()

    assert instance.policy is None


def test_a_step_is_told_its_attempt_its_failures_and_its_deadline(trial: Trial) -> None:
    instance = trial.create(fail_times=1, tell=True)

    run_to_end(instance)

    told = [line for line in trial.marks() if line.startswith("told ")]
    assert [line.rsplit(" ", 1)[0] for line in told] == ["told 1 0", "told 2 1"]
    assert [float(line.rsplit(" ", 1)[1]) for line in told] == [30.0, 30.0]


def test_a_sensitive_output_is_marked_in_its_record_and_in_no_error(
    trial: Trial, caplog: pytest.LogCaptureFixture
) -> None:
    entries = [*ENTRIES, {"step": "trial_secret"}, {"step": "trial_reader"}]
    instance = trial.create(entries=entries)

    run_to_end(instance)

    assert instance.status == Status.COMPLETE
    assert instance.records.get(entry="trial_secret").sensitive
    assert not instance.records.get(entry="trial_reader").sensitive
    assert "hunter2" not in caplog.text
