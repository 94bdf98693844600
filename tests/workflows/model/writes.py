"""What each of a driver's statements must do, and whether it was the right one to send."""

from collections.abc import Callable
from dataclasses import replace

from tests.trial.modelled import RETRIES
from tests.workflows.model.expected import LATER, NOW, STEPS, Expected, Hand
from workflows.models import Outcome, Reason

# What a step may do; `cut`: the connection of its transaction was lost before it committed.
FAILURES = ("fails", "fails, now", "cut")
FATAL = ("refuses", "returns NUL")


def note(it: Expected, name: str, hand: Hand, *, park_due: str, is_newer_alive: bool) -> None:
    """Apply a statement that a driver has sent and that has committed.

    Args:
        it: the instance.
        name: of the statement, without `checkpoints.`.
        hand: the driver's claim.
        park_due: when a parked one with a moment is due, as its host's clock stood.
        is_newer_alive: whether a drain with other code beats.
    """
    if name == "next_event":
        hand.seen = it.oldest(hand.claim.generation)
    elif name == "current_try":
        hand.claim = replace(hand.claim, inbox=it.inbox)
    elif name == "relinquish":
        if (it.fence, it.owner) == (hand.claim.fence, hand.claim.drain):
            it.put_aside(Reason.RETRY, NOW)
    elif name in _PUTTING_ASIDE:
        if it.holds(hand):
            due = LATER if is_newer_alive else None
            _PUTTING_ASIDE[name](it, hand, due if name == "leave_to_newer" else park_due)
    elif name in _RECORDING:
        if it.holds(hand):
            _check_record(it, name, hand)
            it.record(hand)
    else:
        assert name in _READING, f"a driver sent {name}, which nothing here explains"


def _check_record(it: Expected, name: str, hand: Hand) -> None:
    is_last = it.position == len(it.stages) - 1
    assert name.startswith("complete" if is_last else "advance")
    assert name.endswith("_with_event") == (hand.seen is not None)
    if it.stage.kind in STEPS:
        assert hand.outcome == "returns", f"a step that {hand.outcome} was recorded"
    elif it.stage.kind == "until":
        assert it.moment == NOW
    elif it.stage.kind == "sleep" or hand.seen is None:
        assert hand.deadline == NOW, f"{it.stage.name} was passed before its time"
        assert it.stage.kind in ("sleep", "wait, then on")


def _retry_later(it: Expected, hand: Hand, _: str | None) -> None:
    assert hand.outcome in FAILURES
    assert it.failures < RETRIES
    it.retry_later(Outcome.FAILED, NOW if hand.outcome == "fails, now" else LATER)


def _give_up(it: Expected, hand: Hand, _: str | None) -> None:
    if it.stage.kind in STEPS:
        is_used_up = hand.outcome in FAILURES and it.failures >= RETRIES
        assert is_used_up or hand.outcome in FATAL, f"gave up a step that {hand.outcome}"
    else:
        assert (it.stage.kind, hand.seen, hand.deadline) == ("wait, or err", None, NOW)
    it.give_up(Outcome.FAILED)


def _park(it: Expected, hand: Hand, park_due: str | None) -> None:
    asks = {"asks a person": (Reason.OPERATOR, None), "is busy": (Reason.BUSY, park_due)}
    it.keep_try(Outcome.PARKED)
    it.put_aside(*asks[hand.outcome])
    it.log.append("waiting")


def _sleep(it: Expected, hand: Hand, _: str | None) -> None:
    assert it.stage.kind in ("sleep", "until")
    assert it.stage.kind == "sleep" or it.moment == LATER
    it.attempt -= 1
    it.deadline = it.deadline or LATER
    it.put_aside(Reason.SLEEP, it.deadline)
    it.log.append("waiting")


def _await(it: Expected, hand: Hand, _: str | None) -> None:
    assert it.stage.kind.startswith("wait")
    assert hand.seen is None
    assert hand.deadline != NOW, "it waits on, although its time is over"
    it.attempt -= 1
    if it.deadline is None and it.stage.kind != "wait":
        it.deadline = LATER
    it.put_aside(Reason.EVENT, NOW if it.inbox != hand.claim.inbox else it.deadline)
    it.log.append("waiting")


def _release(it: Expected, hand: Hand, _: str | None) -> None:
    assert hand.is_stopping
    it.keep_try(Outcome.INTERRUPTED)
    it.put_aside(Reason.RETRY, NOW)


def _leave_to_newer(it: Expected, hand: Hand, due: str | None) -> None:
    assert hand.outcome == "does not fit"
    it.put_aside(Reason.CODE, due)
    it.log.append("waiting")


_PUTTING_ASIDE: dict[str, Callable[[Expected, Hand, str | None], None]] = {
    "retry_later": _retry_later,
    "give_up": _give_up,
    "park": _park,
    "sleep": _sleep,
    "await": _await,
    "release": _release,
    "leave_to_newer": _leave_to_newer,
}
_RECORDING = ("advance", "complete", "advance_with_event", "complete_with_event")
_READING = ("inputs", "was_recorded", "was_tried")
