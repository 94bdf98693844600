"""Many instances are created in one go, each with a result of its own."""

import threading
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections

from tests.workflows.conftest import Trial, run_to_end
from workflows.dispatch import Created, Order, create_instance, create_instances
from workflows.errors import (
    ContractError,
    DuplicateInstanceError,
    OrderError,
    PayloadError,
    WorkflowError,
)
from workflows.models import Envelope, Instance, LogEntry, Status


@pytest.fixture
def order(trial: Trial) -> Order:
    graph = trial.create(key="first").graph_id
    return Order("trial", "a", "p", graph, {"marks": str(trial.path)}, "import")


def kinds(results: list[Created]) -> list[str]:
    return [type(each.error).__name__ if each.error else "created" for each in results]


def test_a_batch_answers_each_order_in_its_place(order: Order) -> None:
    orders = [replace(order, key=key) for key in ("c", "first", "a", "c", "b")]

    results = create_instances(orders)

    assert [each.order for each in results] == orders
    assert kinds(results) == ["created", *["DuplicateInstanceError"], "created",
                              "DuplicateInstanceError", "created"]  # fmt: skip
    assert str(results[1].error).startswith("trial-first exists already")
    made = Instance.objects.exclude(key="first").order_by("key")
    assert [(each.key, each.trigger) for each in made] == [
        ("a", "import"), ("b", "import"), ("c", "import"),
    ]  # fmt: skip
    by_key = {each.order.key: each.pk for each in results if each.pk}
    assert by_key == {each.key: each.pk for each in made}
    assert all(each.envelope.data == order.envelope for each in made)


# What may be wrong with one order, and the words that say so.
BAD: dict[str, tuple[dict[str, Any], type[WorkflowError], str]] = {
    "a key with a dot": ({"key": "a.b"}, OrderError, "the key 'a.b' is not 1 to 100"),
    "a key with a newline": ({"key": "a\n"}, OrderError, "is not 1 to 100"),
    "a hyphen first": ({"key": "-a"}, OrderError, "without a `-` first"),
    "an empty key": ({"key": ""}, OrderError, "is not 1 to 100"),
    "a long key": ({"key": "a" * 101}, OrderError, "is not 1 to 100"),
    "no partition": ({"partition": ""}, OrderError, "trial-a: a partition has 1 to 60"),
    "an odd trigger": ({"trigger": "magic"}, OrderError, "'magic' is none of api, command"),
    "no workflow": ({"workflow": "nothing"}, ContractError, "no workflow has this name"),
    "NaN": ({"envelope": {"x": float("nan")}}, PayloadError, "the payload of trial-a is no JSON"),
    "NUL": ({"envelope": {"x": "\x00"}}, PayloadError, "trial-a has a text with NUL"),
    "a surrogate": ({"envelope": {"x": "\ud800"}}, PayloadError, "surrogates not allowed"),
    "an object": ({"envelope": {"x": object()}}, PayloadError, "not JSON serializable"),
    "too large": ({"envelope": {"x": "x" * 1024 * 1024}}, PayloadError, "has 1048585 bytes"),
}


@pytest.mark.parametrize(("change", "kind", "words"), BAD.values(), ids=BAD)
def test_a_bad_order_is_told_why_and_leaves_the_others_be(
    change: dict[str, Any], kind: type[WorkflowError], words: str, order: Order
) -> None:
    bad = replace(order, **change)

    results = create_instances([replace(order, key="x"), bad, replace(order, key="y")])

    assert kinds(results) == ["created", kind.__name__, "created"]
    assert words in str(results[1].error)
    with pytest.raises(kind):
        create_instance(**vars(bad))
    assert set(Instance.objects.values_list("key", flat=True)) == {"first", "x", "y"}


def test_batches_with_the_same_keys_in_another_order_neither_deadlock_nor_create_twice(
    order: Order,
) -> None:
    keys = [f"k{number}" for number in range(700)]
    results: list[Created] = []
    gate = threading.Barrier(6)

    def create(number: int) -> None:
        turned = keys[number * 100 :] + keys[: number * 100]
        gate.wait()
        results.extend(create_instances([replace(order, key=key) for key in turned]))
        connections.close_all()

    threads = [threading.Thread(target=create, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter(kinds(results)) == {"created": 700, "DuplicateInstanceError": 3500}
    assert Instance.objects.count() == Envelope.objects.count() == 701
    assert LogEntry.objects.filter(kind="created").count() == 701


def test_what_a_batch_has_made_runs(order: Order) -> None:
    results = create_instances([replace(order, key=f"k{number}") for number in range(20)])

    instances = list(Instance.objects.filter(pk__in=[each.pk for each in results]))
    run_to_end(*instances)

    assert {each.status for each in instances} == {Status.COMPLETE}


@pytest.mark.django_db
def test_an_empty_batch_makes_nothing() -> None:
    assert create_instances([]) == []


def test_a_duplicate_is_an_error_that_names_its_id(order: Order) -> None:
    (result,) = create_instances([replace(order, key="first")])

    assert isinstance(result.error, DuplicateInstanceError)
    assert result.error.instance_id == "trial-first"
