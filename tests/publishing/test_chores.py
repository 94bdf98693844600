"""The chores of the ledger say in the log how much they did, and nothing where they did nothing."""

import logging

import pytest

from publishing.chores import close_dead_calls, wake_for_budget
from publishing.models import Call
from tests.publishing.paying import call_for, hold_open
from tests.publishing.regenerating import finished_brief, park
from workflows.models import Instance, Reason

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("caps")]


def test_the_sweep_says_how_many_calls_it_lost_and_why(caplog: pytest.LogCaptureFixture) -> None:
    hold_open(call_for("b1"), lapsed=True)
    with caplog.at_level(logging.INFO, logger="publishing"):
        close_dead_calls()
        close_dead_calls()
    assert [record.getMessage() for record in caplog.records] == [
        "lost 1 paid calls, in full: their leases ended without an answer"
    ]
    assert Call.objects.get().state == "unknown"


def test_a_wake_says_how_many_it_woke_and_why(caplog: pytest.LogCaptureFixture) -> None:
    asks = {"asked_micros": 5, "brief_id": "b1", "entry": "generate", "lane": "paper"}
    park(finished_brief(), asks | {"regeneration": 0}, reason=Reason.BUDGET)
    with caplog.at_level(logging.INFO, logger="publishing"):
        wake_for_budget()
        wake_for_budget()
    assert [record.getMessage() for record in caplog.records] == [
        "woke 1 that waited for budget: their caps have room again"
    ]
    assert Instance.objects.get().due_at is not None
