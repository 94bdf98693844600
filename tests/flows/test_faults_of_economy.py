"""A worker is killed in every window of an order at half price; nothing is ordered twice."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db.models import F

from publishing.models import Call, Cap
from tests.flows.economy import EconomyTown, found_economy_town, is_complete, is_ordered
from tests.flows.paying import calls_of
from tests.workflows.conftest import wait_until
from workflows.models import Instance

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def founded(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EconomyTown]:
    with found_economy_town(tmp_path_factory.mktemp("media")) as running:
        yield running


@pytest.fixture
def town(founded: EconomyTown, caps: dict[str, Cap]) -> EconomyTown:
    founded.prepare()
    return founded


def finish(town: EconomyTown, brief: Instance) -> None:
    with town.workers():
        wait_until(lambda: is_complete(brief))
    assert not Call.objects.filter(state="held").exists()
    town.audit()


def park(town: EconomyTown, brief: Instance) -> None:
    """Have the text ordered, and its instance due again."""
    with town.workers():
        wait_until(lambda: is_ordered(brief))
    is_complete(brief)


@pytest.mark.parametrize(
    "die",
    [
        EconomyTown.kill_when_submitted,
        lambda town: town.kill_at("ledger.note_batch:before:1:generate"),
        lambda town: town.kill_at("ledger.note_batch:after:1:generate"),
    ],
    ids=["submitted", "answered, not noted", "noted"],
)
def test_an_order_that_its_worker_did_not_outlive_is_found_and_not_sent_again(
    town: EconomyTown, die: Callable[[EconomyTown], None]
) -> None:
    brief = town.order_text("b1")
    die(town)
    finish(town, brief)
    assert calls_of("generate") == [("settled", 0)]
    assert town.vendor.submits == 1


@pytest.mark.parametrize(
    ("point", "calls"),
    [
        ("ledger.close:before", [("settled", 0)]),
        ("ledger.close:after", [("settled", 1)]),
    ],
)
def test_a_text_that_its_worker_did_not_outlive_is_read_again_or_served(
    town: EconomyTown, point: str, calls: list[tuple[str, int]]
) -> None:
    brief = town.order_text("b1")
    park(town, brief)
    town.kill_at(f"{point}:1:generate")
    finish(town, brief)
    assert calls_of("generate") == calls
    assert town.vendor.submits == 1


def test_an_order_that_was_never_submitted_counts_and_is_made_anew(town: EconomyTown) -> None:
    brief = town.order_text("b1")
    town.kill_at("ledger.insert:after:1:generate")
    assert town.vendor.submits == 0
    park(town, brief)  # it may yet come to stand in the vendor's list
    Call.objects.update(created_at=F("created_at") - timedelta(minutes=7))
    town.kill_at("ledger.forget_order:before:1:generate")
    town.kill_at("ledger.forget_order:after:1:generate")
    finish(town, brief)
    assert calls_of("generate") == [("unknown", 0), ("settled", 0)]
    assert town.vendor.submits == 1
