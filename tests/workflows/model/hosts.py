"""The hosts of the model: each has a clock of its own, connections, and one drain at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any

from django.db import connections

from tests.workflows.model.expected import Hand
from workflows.checkpoints import Checkpoints
from workflows.claims import Claim
from workflows.connection import EngineConnection
from workflows.retries import RetryPolicy


class HostClock(datetime):
    """The wall clock of the host that is at work now; the database has another."""

    ahead = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        """Return what the host believes."""
        return datetime.now(tz) + cls.ahead


@dataclass
class Host:
    """A process with a drain; when it dies another one takes its place.

    Attributes:
        drain: id of the row; 0 before it has entered.
        hands: the claims that its threads hold.
        ahead: of its clock before the database's.
    """

    claimer: EngineConnection
    writer: EngineConnection
    drain: int = 0
    hands: list[Hand] = field(default_factory=list)
    ahead: timedelta = timedelta(0)

    @property
    def checkpoints(self) -> Checkpoints:
        """Its writer, as its threads use it."""
        return Checkpoints(self.writer)

    def die(self) -> None:
        """The process is gone; its row and what it owned stay."""
        self.drain = 0
        self.hands = []


@dataclass
class ThreadOf:
    """What a driver thread tells of itself; nobody watches the time here."""

    hand: Hand

    def begins(self, claim: Claim, entry: str, policy: RetryPolicy) -> None:
        """An attempt begins."""
        self.hand.outcome = ""

    def ends(self) -> None:
        """It is over."""

    def finished_a_step(self) -> None:
        """It goes on."""

    def is_stopping(self) -> bool:
        """Whether its worker was told to stop."""
        return self.hand.is_stopping


@contextmanager
def another_session() -> Iterator[None]:
    """Act as another process would: by a database connection of its own."""
    mine = connections["default"]
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = mine
