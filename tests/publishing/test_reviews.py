"""Reviews: nothing goes live that a lane's policy wants approved, but the revision approved."""

import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from pytest_django import Settings

from publishing.models import Approval
from publishing.reviews import approve, reject, waiting_reviews
from tests.publishing.reviewing import article_of, make_lane, revision_of, run, send
from workflows import faults
from workflows.errors import UnknownInstanceError, VerbRefusedError
from workflows.events import send_event
from workflows.models import Instance, Status
from workflows.verbs import restart, terminate

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def files(settings: Settings, tmp_path: Path) -> None:
    """Store covers in a folder of the test."""
    store = {
        "BACKEND": "publishing.providers.objects.ContentAddressedFileStorage",
        "OPTIONS": {"location": tmp_path, "base_url": "/media/"},
    }
    settings.STORAGES = settings.STORAGES | {"default": store}


def waiting(policy: str = "always", **more: Any) -> Instance:
    """Return an instance that waits at its review."""
    instance = send(make_lane(policy), **more)
    run(instance)
    assert (instance.status, instance.reason) == (Status.WAITING, "event")
    return instance


def status_of(instance: Instance) -> str:
    return article_of(instance).status


def test_without_a_policy_an_article_goes_live_and_nobody_is_asked() -> None:
    instance = send(make_lane(None), notes="A huge clock.")
    run(instance)

    assert (instance.status, status_of(instance)) == (Status.COMPLETE, "live")
    assert revision_of(instance).flags == ["anti-pattern 'Hype.': 'huge'. It tires."]
    assert not Approval.objects.exists()


def test_when_flagged_a_clean_article_passes_the_review_and_says_why() -> None:
    instance = send(make_lane("flagged"))
    run(instance)

    assert (instance.status, status_of(instance)) == (Status.COMPLETE, "live")
    assert instance.records.get(entry="review").output == {
        "event": None,
        "passed": "nothing in */flags of generate, clean",
    }


def test_when_flagged_an_article_with_a_flag_waits_for_a_person() -> None:
    instance = waiting("flagged", notes="A huge clock.")

    assert instance.deadline_at is None  # it waits for ever
    assert status_of(instance) == "draft"
    review: Any = waiting_reviews().get()
    assert review.flag_lists == [[], ["anti-pattern 'Hype.': 'huge'. It tires."]]


def test_an_approval_publishes_and_keeps_who_when_and_which_revision() -> None:
    instance = waiting()
    revision = revision_of(instance)
    assert approve("publish-b", revision.pk, actor="edna", note="Read twice.")
    assert list(waiting_reviews()) == []
    run(instance)

    assert (instance.status, status_of(instance)) == (Status.COMPLETE, "live")
    approval = Approval.objects.get()
    assert (approval.revision, approval.generation) == (revision, 1)
    assert (approval.actor, approval.note) == ("edna", "Read twice.")
    event = instance.records.get(entry="review").output["event"]
    assert (event["payload"], event["sender"]) == ({"revision": revision.pk}, "edna")


def test_an_approval_that_is_given_twice_is_one() -> None:
    instance = waiting()
    revision = revision_of(instance).pk
    given = [approve("publish-b", revision, actor=actor) for actor in ("edna", "otto")]

    assert given == [True, False]
    assert Approval.objects.get().actor == "edna"
    assert instance.events.count() == 1
    run(instance)
    assert approve("publish-b", revision, actor="edna") is False


def test_of_eight_who_approve_at_once_one_does() -> None:
    instance = waiting()
    revision, given = revision_of(instance).pk, []
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        given.append(approve("publish-b", revision, actor=f"e{number}"))
        connections.close_all()

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(given) == [False] * 7 + [True]
    assert (Approval.objects.count(), instance.events.count()) == (1, 1)


def test_another_revision_than_the_one_that_would_go_live_is_not_approved() -> None:
    instance = waiting()
    stale = revision_of(instance).pk
    restart("publish-b", actor="olga", generation=1, entry="persist")
    run(instance)

    for verb in (approve, reject):
        with pytest.raises(VerbRefusedError, match=f"not revision {stale} that you read"):
            verb("publish-b", stale, actor="edna", note="x")
    assert (Approval.objects.count(), instance.events.count()) == (0, 0)
    assert approve("publish-b", revision_of(instance).pk, actor="edna")
    run(instance)
    assert article_of(instance).revision == revision_of(instance)


def test_a_new_generation_wants_a_new_approval_of_the_same_revision() -> None:
    instance = waiting()
    revision = revision_of(instance).pk
    approve("publish-b", revision, actor="edna")
    restart("publish-b", actor="olga", generation=1, entry="review")
    run(instance)
    assert (instance.status, status_of(instance)) == (Status.WAITING, "draft")

    send_event("publish-b", "approval", {"revision": revision}, sender="mallory")
    run(instance)
    assert (instance.status, status_of(instance)) == (Status.ERRORED, "draft")


def test_an_approved_article_whose_publish_is_restarted_needs_no_second_approval() -> None:
    instance = waiting()
    approve("publish-b", revision_of(instance).pk, actor="edna")
    run(instance)
    restart("publish-b", actor="olga", generation=1, entry="publish")
    run(instance)
    assert (instance.status, instance.generation) == (Status.COMPLETE, 2)


@pytest.mark.parametrize("payload", [None, {"revision": 1}, {"revision": 999_999}, "yes"])
def test_an_event_that_was_sent_by_hand_publishes_nothing(payload: Any) -> None:
    instance = waiting()
    send_event("publish-b", "approval", payload, sender="mallory")
    run(instance)

    assert (instance.status, status_of(instance)) == (Status.ERRORED, "draft")
    assert instance.error is not None
    assert instance.error["type"] == "UnapprovedError"
    assert "mallory sent an event" in instance.error["message"]
    assert "restart publish-b from review" in instance.error["message"]
    restart("publish-b", actor="olga", generation=1, entry="review")
    run(instance)
    approve("publish-b", revision_of(instance).pk, actor="edna")
    run(instance)
    assert (instance.status, status_of(instance)) == (Status.COMPLETE, "live")


def test_a_rejected_article_is_never_published() -> None:
    instance = waiting()
    revision = revision_of(instance).pk
    assert reject("publish-b", revision, actor="edna", note="It is wrong.")
    assert reject("publish-b", revision, actor="edna", note="It is wrong.") is False

    instance.refresh_from_db()
    assert (instance.status, status_of(instance)) == (Status.TERMINATED, "draft")
    line = instance.log.get(kind="terminate")
    assert (line.actor, line.why) == ("edna", f"rejected revision {revision}: It is wrong.")
    with pytest.raises(VerbRefusedError, match="terminated and waits for no review"):
        approve("publish-b", revision, actor="edna")
    assert not Approval.objects.exists()


def test_a_wait_that_an_operator_terminates_publishes_nothing() -> None:
    instance = waiting()
    terminate("publish-b", actor="olga")
    with pytest.raises(VerbRefusedError):
        approve("publish-b", revision_of(instance).pk, actor="edna")
    run(instance)
    assert status_of(instance) == "draft"


def test_a_rejection_says_why_and_comes_too_late_after_an_approval() -> None:
    instance = waiting()
    revision = revision_of(instance).pk
    with pytest.raises(VerbRefusedError, match="say why"):
        reject("publish-b", revision, actor="edna", note=" ")
    approve("publish-b", revision, actor="edna")
    with pytest.raises(VerbRefusedError, match="was approved by edna"):
        reject("publish-b", revision, actor="otto", note="No.")

    instance.refresh_from_db()
    assert instance.status == Status.WAITING


def test_what_waits_for_no_review_is_not_approved() -> None:
    instance = send(make_lane("always"))
    for instance_id, error in (
        ("publish-b", VerbRefusedError),
        ("publish-x", UnknownInstanceError),
    ):
        with pytest.raises(error):
            approve(instance_id, 1, actor="edna")
    assert (Approval.objects.count(), instance.events.count()) == (0, 0)


@pytest.mark.parametrize("moment", ["before", "uncommitted"])
def test_who_dies_while_approving_has_approved_nothing(moment: str) -> None:
    instance = waiting()
    revision = revision_of(instance).pk

    def die(point: str, at: faults.Moment) -> None:
        if (point, at) == ("events.send", moment):
            raise KeyboardInterrupt

    faults.arm(die)
    try:
        with pytest.raises(KeyboardInterrupt):
            approve("publish-b", revision, actor="edna")
    finally:
        faults.arm(None)

    assert (Approval.objects.count(), instance.events.count()) == (0, 0)
    assert approve("publish-b", revision, actor="edna")
