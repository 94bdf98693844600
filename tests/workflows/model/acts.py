"""What operators and senders do to an expected instance, with the answer that each must get."""

from collections.abc import Callable

from tests.workflows.model.expected import (
    ENDED,
    NOW,
    REFUSED,
    STEPS,
    Expected,
    Recorded,
    Sent,
)
from workflows.models import Rank, Reason, Status

Answer = bool | str


def pause(it: Expected) -> Answer:
    """A running step finishes first."""
    if it.status in ENDED:
        return REFUSED
    if it.status == Status.PAUSED or it.pause_requested:
        return False
    if it.status == Status.RUNNING:
        it.pause_requested = True
    else:
        it.status, it.wake, it.due = Status.PAUSED, it.due, None
    it.log.append("pause")
    return True


def resume(it: Expected) -> Answer:
    """It goes on where it stood."""
    if it.status in ENDED:
        return REFUSED
    if it.status != Status.PAUSED and not it.pause_requested:
        return False
    if it.status == Status.PAUSED:
        _go_on(it)
    it.pause_requested = False
    it.log.append("resume")
    return True


def _go_on(it: Expected) -> None:
    is_new = not it.has_started or (it.reason is None and not it.has_begun)
    if it.reason in (Reason.RETRY, Reason.SLEEP, Reason.BUSY):
        it.due = it.wake or NOW
    elif it.reason == Reason.OPERATOR:
        it.due = it.wake
    else:
        it.due = NOW
    it.status = Status.QUEUED if is_new else Status.WAITING
    it.reason = None if is_new else it.reason or Reason.RETRY
    it.rank = Rank.SUSPECT if it.crashes else Rank.WOKEN


def terminate(it: Expected) -> Answer:
    """It ends for good."""
    if it.is_pruned or it.status == Status.COMPLETE:
        return REFUSED
    if it.status == Status.TERMINATED:
        return False
    it.status, it.reason, it.due, it.wake = Status.TERMINATED, None, None, None
    it.is_old = False
    it.leave()
    it.log.append("terminate")
    return True


def retry(it: Expected) -> Answer:
    """The failed step is tried again now, with its whole policy."""
    is_put_off = it.status == Status.WAITING and it.due != NOW
    is_failed = it.status == Status.ERRORED and not it.is_pruned
    if not is_failed and not (is_put_off and it.reason not in (Reason.SLEEP, Reason.EVENT)):
        return REFUSED
    it.status, it.reason, it.rank = Status.WAITING, Reason.RETRY, Rank.WOKEN
    it.failures = it.crashes = 0
    it.deadline, it.due, it.wake = None, NOW, NOW
    it.fence, it.is_old = it.fence + 1, False
    it.log.append("retry")
    return True


def restart(it: Expected, position: int, generation: int) -> Answer:
    """A new generation begins at a position that was reached."""
    if it.is_pruned or it.position < position or it.generation != generation:
        return REFUSED
    it.status, it.reason, it.rank, it.due, it.wake = Status.QUEUED, None, Rank.WOKEN, NOW, None
    it.generation, it.position = generation + 1, position
    it.attempt = it.failures = it.crashes = 0
    it.deadline, it.has_begun, it.is_old = None, False, False
    it.leave()
    for record in it.records:
        if it.stages.index(record.stage) >= position:
            record.is_superseded = True
    it.log.append("restart")
    return True


def replace_output(it: Expected, position: int, value: str) -> Answer:
    """Another output takes the place of a recorded one."""
    stage = it.stages[position]
    record = it.live(stage.name)
    stands_still = it.status not in (Status.RUNNING, Status.COMPLETE, Status.TERMINATED)
    if stage.kind not in STEPS or it.is_pruned or not stands_still or record is None:
        return REFUSED
    it.fence += 1
    if record.value == value:
        return False
    record.is_superseded = True
    it.records.append(Recorded(record.generation, stage, value, is_replacement=True))
    it.log.append("replace-output")
    return True


def send(it: Expected, type: str, key: str | None, generation: int | None) -> Answer:  # noqa: A002
    """An event arrives."""
    if it.status in ENDED or generation not in (None, it.generation):
        return REFUSED
    it.inbox += 1
    if (it.status, it.reason) == (Status.WAITING, Reason.EVENT):
        it.due = NOW
    known = [(e.generation, e.key) for e in it.events if e.key is not None]
    if (it.generation, key) in known:
        return False
    it.events.append(Sent(it.generation, type, key))
    it.log.append("event")
    return True


def wake_for_code(it: Expected) -> None:
    """A drain came in, perhaps with newer code."""
    if (it.status, it.reason, it.due) == (Status.WAITING, Reason.CODE, None):
        it.due = it.wake = NOW


PLAIN_VERBS: dict[str, Callable[[Expected], Answer]] = {
    "pause": pause,
    "resume": resume,
    "terminate": terminate,
    "retry": retry,
}
