"""Why a brief is not taken: one class for each reason, each with what would help."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and the way out.

    Attributes:
        pointer: JSON pointer (RFC 6901) into the body; empty for the whole, None for what is
            not in the body.
        code: a stable word for programs.
        allowed: the values that would do, where they can be listed.
    """

    pointer: str | None
    code: str
    detail: str
    fix: str
    allowed: list[str] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the fault as an item of `errors`."""
        return asdict(self)


class RefusedError(Exception):
    """A brief was refused: no row was made and nothing was paid.

    Attributes:
        code: a stable word for programs.
        faults: at least one.
    """

    code: ClassVar[str]

    def __init__(self, detail: str, faults: Iterable[Fault]) -> None:
        super().__init__(detail)
        self.faults = list(faults)


class UnreadableBriefIdError(RefusedError):
    """The brief has no ID that could be looked up."""

    code = "bad-brief-id"


class BriefIdTakenError(RefusedError):
    """The ID belongs to a brief in a lane that the sender cannot see; nothing else is told."""

    code = "brief-id-taken"

    def __init__(self) -> None:
        detail = "this brief_id is taken"
        fix = "Choose another brief_id for a new brief; a prefix of your own avoids this."
        super().__init__(detail, [Fault("/brief_id", self.code, detail, fix)])


class InvalidBriefError(RefusedError):
    """Something in the brief does not fit."""

    code = "invalid-brief"

    def __init__(self, faults: list[Fault]) -> None:
        places = "one place" if len(faults) == 1 else f"{len(faults)} places"
        super().__init__(f"the brief does not fit in {places}; nothing was created", faults)


class LaneOutOfScopeError(RefusedError):
    """The sender may not post to this lane."""

    code = "lane-out-of-scope"

    def __init__(self, lane: str, allowed: list[str]) -> None:
        may = f"it may post to {', '.join(allowed)}" if allowed else "it may post to no lane yet"
        detail = f"this key may not post to lane {lane}; {may}"
        fix = "Post to one of the allowed lanes, or ask an operator to widen the routine."
        super().__init__(detail, [Fault("/lane", self.code, detail, fix, allowed)])


class LaneClosedError(RefusedError):
    """The lane takes no new briefs now."""

    code = "lane-closed"

    def __init__(self, lane: str, because: str) -> None:
        detail = f"lane {lane} is closed: {because}"
        fix = "Keep the brief and its brief_id, and post it again when the lane has reopened."
        super().__init__(detail, [Fault("/lane", self.code, detail, fix)])


class LaneNotReadyError(RefusedError):
    """The lane lacks what a brief needs to be written."""

    code = "lane-not-ready"

    def __init__(self, lane: str) -> None:
        detail = (
            f"lane {lane} is not set up: an editor must put a bundle and fitting options to use"
        )
        fix = (
            "Keep the brief and its brief_id, and post it again when an editor has mended the lane."
        )
        super().__init__(detail, [Fault("/lane", self.code, detail, fix)])


class TooFastError(RefusedError):
    """The routine has posted as many new briefs in the last minute as it may."""

    code = "too-fast"

    def __init__(self, rate_per_minute: int, retry_after_seconds: int) -> None:
        detail = f"this routine may post {rate_per_minute} new briefs a minute"
        fix = f"Send the same brief_id again in {retry_after_seconds} s."
        super().__init__(detail, [Fault(None, self.code, detail, fix)])
        self.retry_after_seconds = retry_after_seconds


class SameTextError(RefusedError):
    """The same text is live, or on its way, under another brief_id.

    Args:
        instance_id: of the other one, where the sender may see it.
    """

    code = "same-text"

    def __init__(self, instance_id: str | None) -> None:
        other = f"as {instance_id}" if instance_id else "under another brief_id"
        detail = f"the same text is live or on its way {other}; nothing was created or paid"
        fix = (
            f"Follow {instance_id}; to publish something else, change the text itself."
            if instance_id
            else "Do not send it again; to publish something else, change the text itself."
        )
        super().__init__(detail, [Fault("", self.code, detail, fix)])
        self.instance_id = instance_id
