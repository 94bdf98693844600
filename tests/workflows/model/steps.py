"""What a modelled step does when it is called: as its instance's script says."""

from datetime import UTC, timedelta

from tests.workflows.model.hosts import HostClock
from workflows.errors import ContractError, NonRetryableError, Park, RetryableError

OUTCOMES = (
    "returns",
    "fails",
    "fails, now",
    "refuses",
    "returns NUL",
    "asks a person",
    "is busy",
    "does not fit",
)
BUSY = timedelta(minutes=10)


def come_to(outcome: str, value: str) -> str:
    """Return the value, or do what else the word says."""
    if outcome == "fails":
        raise RetryableError("fails as arranged")
    if outcome == "fails, now":
        raise RetryableError("fails as arranged", delay=timedelta(0))
    if outcome == "refuses":
        raise NonRetryableError("refuses as arranged")
    if outcome == "asks a person":
        raise Park("operator", "asks as arranged")
    if outcome == "is busy":
        raise Park("busy", "is busy as arranged", until=HostClock.now(UTC) + BUSY)
    if outcome == "does not fit":
        raise ContractError("said.value", "does not fit as arranged")
    return "\x00" if outcome == "returns NUL" else value
