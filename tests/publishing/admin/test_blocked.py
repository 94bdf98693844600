"""Blocked models in the admin: why, who waits, and cleared once, by a person, with a reason."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from publishing.ledger.blocks import AT_ONCE, clear_block, wake_cleared
from publishing.models import BlockedModel, ClearedBlock
from tests.publishing.admin.conftest import errored, person, signed_in
from tests.publishing.paying import MODEL
from tests.publishing.spending import call_row
from workflows.errors import VerbRefusedError
from workflows.models import Instance, LogEntry, Reason, Status

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("prices")]
LIST = "/admin/publishing/blockedmodel/"
WAITS = {"status": Status.WAITING, "reason": Reason.OPERATOR, "finished_at": None}


@pytest.fixture
def keeper() -> Client:
    return signed_in(person("kim", "publishing.delete_blockedmodel"))


@pytest.fixture
def block() -> BlockedModel:
    call = call_row("a", model=MODEL, held_micros=200_000, cost_micros=250_000)
    return BlockedModel.objects.create(model=MODEL, call=call, since=datetime.now(UTC))


def waiting(key: str, model: str = MODEL, **fields: Any) -> Instance:
    error = {"type": "Park", "message": "blocked", "data": {"model": model, "call": 1}}
    return errored(key, error=error, **(WAITS | fields))


def due() -> list[str]:
    rows = Instance.objects.exclude(due_at=None).order_by("due_at")
    return list(rows.values_list("key", flat=True))


def test_the_page_says_why_and_leads_to_the_price_and_to_what_waits(
    keeper: Client, block: BlockedModel
) -> None:
    instance = waiting("w")
    found = keeper.get(f"{LIST}{block.pk}/change/").content.decode()
    assert "$0.25" in found
    assert "$0.05 more than the $0.20 that were held" in found
    assert f"/admin/workflows/instance/{instance.pk}/change/" in found
    assert "/next/" in found
    assert f"{LIST}{block.pk}/clear/" in found


def test_clearing_keeps_who_and_why_and_wakes_what_waits_for_it_oldest_first(
    keeper: Client, block: BlockedModel
) -> None:
    for key in ("first", "second", "third"):
        waiting(key)
    waiting("other-model", "another")
    waiting("paused", status=Status.PAUSED)
    done = keeper.post(f"{LIST}{block.pk}/clear/", {"why": "the price is right"}, follow=True)
    (told,) = map(str, done.context["messages"])
    assert told == f"{MODEL} is cleared: 3 instances that waited for it go on."
    assert due() == ["first", "second", "third"]
    kept = ClearedBlock.objects.get()
    assert (kept.model, kept.call_id, kept.since, kept.actor, kept.why) == (
        MODEL, block.call_id, block.since, "kim", "the price is right",
    )  # fmt: skip
    assert set(LogEntry.objects.filter(kind="retry").values_list("actor", "why")) == {
        ("kim", f"{MODEL} is cleared: the price is right")
    }
    assert not BlockedModel.objects.exists()
    again = keeper.post(f"{LIST}{block.pk}/clear/", {"why": "again"}, follow=True)
    assert "blocked no more" in again.content.decode()
    assert ClearedBlock.objects.count() == 1


def test_without_a_reason_nothing_is_cleared(keeper: Client, block: BlockedModel) -> None:
    waiting("w")
    answer = keeper.post(f"{LIST}{block.pk}/clear/", {"why": " "})
    assert "This field is required." in answer.content.decode()
    with pytest.raises(VerbRefusedError, match="say why"):
        clear_block(MODEL, actor="kim", why=" ")
    assert (BlockedModel.objects.count(), due()) == (1, [])


def test_what_is_not_blocked_is_not_cleared(block: BlockedModel) -> None:
    with pytest.raises(VerbRefusedError, match="another is not blocked"):
        clear_block("another", actor="kim", why="x")
    assert (BlockedModel.objects.count(), ClearedBlock.objects.count()) == (1, 0)


def test_who_may_only_look_clears_nothing_and_nobody_deletes(block: BlockedModel) -> None:
    reader = signed_in(person("vera", "publishing.view_blockedmodel"))
    keeper = signed_in(person("kim", "publishing.delete_blockedmodel"))
    assert reader.get(f"{LIST}{block.pk}/change/").status_code == 200
    assert reader.post(f"{LIST}{block.pk}/clear/", {"why": "x"}).status_code == 403
    assert keeper.post(f"{LIST}{block.pk}/delete/", {"post": "yes"}).status_code == 403
    assert BlockedModel.objects.exists()


def test_the_workers_wake_the_rest_and_what_had_read_the_block_before_it_went(
    block: BlockedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert AT_ONCE == 200
    monkeypatch.setattr("publishing.ledger.blocks.AT_ONCE", 2)
    for key in ("a1", "a2", "a3"):
        waiting(key)
    assert wake_cleared() == 0  # it is still blocked
    cleared = clear_block(MODEL, actor="kim", why="right now")
    assert (cleared.woken, cleared.to_follow) == (2, 1)
    waiting("late")
    assert [wake_cleared(), wake_cleared()] == [2, 0]
    assert due() == ["a1", "a2", "a3", "late"]
