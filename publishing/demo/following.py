"""Reading instances until nothing happens to them by itself any more."""

import time
from collections.abc import Callable, Iterable

from publishing.demo.client import Answer, RoutineClient
from publishing.demo.errors import StandstillError

LOOK_SECONDS = 0.15
# Longer than any step may take with its retry; a demo that stands still so long is broken.
STILL_SECONDS = 900.0
_ENDED = {"complete", "errored", "terminated", "paused"}
_STANDING_WAITS = {"budget", "operator", "event", "code", "sleep"}


def follow(
    client: RoutineClient,
    instance_ids: Iterable[str],
    *,
    show: Callable[[Answer], None],
    check: Callable[[], None],
    until: Callable[[Answer], bool] | None = None,
) -> dict[str, Answer]:
    """Read the instances until each of them is at rest; return their last answers by ID.

    Args:
        client: reads them, as a routine may.
        instance_ids: of the instances.
        show: is given each answer that was read.
        check: raises if going on makes no sense.
        until: ends it earlier, as soon as it is true of one answer.

    Raises:
        StandstillError: no instance has changed for 15 minutes.
    """
    answers: dict[str, Answer] = {}
    open_ids = list(instance_ids)
    changed_at = time.monotonic()
    while open_ids:
        check()
        for instance_id in list(open_ids):
            answer = client.get(instance_id)
            if answer != answers.get(instance_id):
                answers[instance_id], changed_at = answer, time.monotonic()
            show(answer)
            if until is not None and until(answer):
                return answers
            if is_at_rest(answer):
                open_ids.remove(instance_id)
        if time.monotonic() - changed_at > STILL_SECONDS:
            raise StandstillError(f"nothing has happened to {', '.join(open_ids)} for 15 minutes")
        time.sleep(LOOK_SECONDS)
    return answers


def is_at_rest(answer: Answer) -> bool:
    """Whether nothing will happen to the instance without somebody."""
    return answer["status"] in _ENDED or answer["waiting_for"] in _STANDING_WAITS


def is_live(answer: Answer) -> bool:
    """Whether readers see its article."""
    return answer["status"] == "complete" and answer["article"] is not None
