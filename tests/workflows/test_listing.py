"""A filter finds what it says and nothing else; pages neither repeat nor skip."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.workflows.conftest import Trial, run_to_end
from workflows import verbs
from workflows.errors import FilterError
from workflows.listing import Filter, latest_instance_id, list_instances
from workflows.models import Instance


@pytest.fixture
def mixed(trial: Trial) -> Trial:
    """A complete, an errored, a waiting, a paused and a queued instance, in this order."""
    complete = trial.create(key="complete", partition="news")
    errored = trial.create(key="errored", partition="news", refuse=True)
    waiting = trial.create(key="waiting", partition="dev", park=True)
    run_to_end(complete, errored, waiting)
    trial.create(key="paused", partition="dev")
    verbs.pause("trial-paused", actor="ann")
    trial.create(key="queued", partition="dev")
    return trial


def found(**given: Any) -> set[str]:
    """Return the keys that a filter finds."""
    return set(Filter.parse(**given).instances().values_list("key", flat=True))


ALL = {"complete", "errored", "waiting", "paused", "queued"}


def test_a_filter_narrows_by_each_of_its_words_and_by_all_together(mixed: Trial) -> None:
    assert found() == ALL
    assert found(status=["errored", "paused"]) == {"errored", "paused"}
    assert found(reason=["operator"]) == {"waiting"}
    assert found(workflow="trial") == ALL
    assert found(workflow="publish") == set()
    assert found(partition="news") == {"complete", "errored"}
    assert found(trigger=["command"]) == ALL
    assert found(trigger=["api"]) == set()
    assert found(entry="trial_second") == {"errored", "waiting"}
    assert found(entry="nowhere") == set()
    assert found(error="NonRetryableError") == {"errored"}
    assert found(ids=["trial-queued", "trial-nobody"]) == {"queued"}
    assert found(partition="news", status=["errored"], entry="trial_second") == {"errored"}


def test_a_filter_narrows_by_when_instances_were_made_and_ended(mixed: Trial) -> None:
    paused = Instance.objects.get(key="paused")
    assert found(created_after=paused.created_at) == {"paused", "queued"}
    assert found(created_before=paused.created_at) == {"complete", "errored", "waiting"}
    assert found(finished_before=paused.created_at) == {"complete", "errored"}
    assert found(finished_after=paused.created_at) == set()


def test_what_a_filter_says_is_kept_as_json_and_read_back(mixed: Trial) -> None:
    at = timezone.now() - timedelta(hours=1)
    said = Filter.parse(status=["errored"], partition="news", created_after=at)

    assert Filter.model_validate(said.as_json()) == said
    assert set(said.as_json()) == {"status", "partition", "created_after"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"status": ["eror"]}, "status: 'eror' is none of queued, running"),
        ({"reason": ["money"]}, "reason: 'money' is none of retry, sleep"),
        ({"trigger": ["cron"]}, "trigger: 'cron' is none of api, command"),
        ({"created_after": "2026-11-23T08:00"}, "created_after: .*timezone"),
        ({"lane": "news"}, "lane: Extra inputs are not permitted"),
    ],
)
def test_a_word_that_no_filter_knows_is_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(FilterError, match=words):
        Filter.parse(**given)


def test_pages_neither_repeat_nor_skip_while_instances_are_made(trial: Trial) -> None:
    for number in range(5):
        trial.create(key=f"k{number}")

    first = list_instances(Filter(), limit=2)
    trial.create(key="later")
    second = list_instances(Filter(), after=first.next, limit=2)
    last = list_instances(Filter(), after=second.next, limit=2)

    pages = [[row.key for row in page.instances] for page in (first, second, last)]
    assert pages == [["k4", "k3"], ["k2", "k1"], ["k0"]]
    assert last.next is None


def test_a_page_that_ends_with_the_last_instance_has_no_next(trial: Trial) -> None:
    trial.create(key="a")
    trial.create(key="b")

    assert list_instances(Filter(), limit=2).next is None
    assert len(list_instances(Filter(), limit=0).instances) == 1


def test_the_latest_is_the_newest_of_all_or_of_a_workflow(trial: Trial) -> None:
    assert latest_instance_id() is None
    trial.create(key="a")
    trial.create(key="b")

    assert latest_instance_id() == "trial-b"
    assert latest_instance_id("trial") == "trial-b"
    assert latest_instance_id("publish") is None
