"""What happens in the middle of a drive, at one of its fault points."""

import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from django.db import OperationalError, connection

from tests.trial.modelled import POLICY
from tests.workflows.model.expected import LATER, STEPS, Expected, Hand
from tests.workflows.model.hosts import Host, HostClock, another_session
from tests.workflows.model.writes import note
from workflows.checkpoints import Checkpoints
from workflows.contracts import StepContext
from workflows.watchdog import RunningAttempt, fail_overdue

if TYPE_CHECKING:
    from tests.workflows.model.world import World

HAPPENINGS = (
    "dies",
    "cut",
    "is taken over",
    "restarts elsewhere",
    "times out",
    "stops",
    "clock leaps",
    "clock falls back",
    "pause",
    "resume",
    "terminate",
    "retry",
    "restart",
    "send",
    "create",
)
LEAP = timedelta(hours=1)
RECORDING = ("checkpoints.advance", "checkpoints.complete")


class KilledError(BaseException):
    """The process is gone at this point; nothing catches it, as nothing catches SIGKILL."""


class WrongError(BaseException):
    """The model is contradicted; the engine must not take this for a step's failure."""


@dataclass
class Drive:
    """One drive under way.

    Attributes:
        faults: which of its fault points (counted from 0), and what happens there.
        is_busy: something happens in the middle of it, which is no doing of its own.
        park_due: when a step that is busy is due, as its host's clock stood when it ran.
    """

    world: "World"
    host: Host
    hand: Hand
    it: Expected
    faults: list[tuple[int, str]]
    reached: int = 0
    is_busy: bool = False
    park_due: str = LATER

    def reach(self, name: str, moment: str) -> None:
        """Apply the statement if it has committed, then let happen what is ordered for here."""
        if self.is_busy:
            return
        # The hand moves on with its record: ask before.
        is_effect = name.startswith(RECORDING) and self._stands_at("effect")
        try:
            if name.startswith("entries."):
                moment = "before"  # nothing was sent that could have committed
            elif moment == "after":
                self._note(name.removeprefix("checkpoints."))
            here = [what for point, what in self.faults if point == self.reached]
            self.reached += 1
            for what in here:
                self._let_happen(what, moment, is_effect=is_effect)
        except AssertionError as wrong:
            raise WrongError(str(wrong)) from wrong

    def assert_may_run(self, context: StepContext, value: str) -> None:
        """Refuse a call that nothing explains, made under a claim that holds."""
        try:
            it = self.it
            assert it.live(context.entry) is None, f"{context.entry} is finished and ran again"
            assert it.stage.name == context.entry
            assert (context.generation, context.attempt) == (it.generation, it.attempt)
            assert value == it.taken_value(), "a step was given another value than was recorded"
        except AssertionError as wrong:
            raise WrongError(str(wrong)) from wrong

    def _stands_at(self, *kinds: str) -> bool:
        return self.it.stages[self.hand.claim.position].kind in kinds

    def _note(self, name: str) -> None:
        note(
            self.it,
            name,
            self.hand,
            park_due=self.park_due,
            is_newer_alive=not all(self.world.lapsed.values()),
        )

    def _let_happen(self, what: str, moment: str, *, is_effect: bool) -> None:
        if what == "dies":
            raise KilledError
        if what == "cut":
            self._cut(moment, is_effect=is_effect)
        elif what == "stops":
            self.hand.is_stopping = True
        elif what.startswith("clock"):
            self.host.ahead = LEAP if what == "clock leaps" else -LEAP
            HostClock.ahead = self.host.ahead
        elif moment != "uncommitted":  # there its own lock would keep others waiting
            self.is_busy = True
            with ExitStack() as stack:
                if connection.in_atomic_block:
                    stack.enter_context(another_session())
                self._let_others(what, moment)
            self.is_busy = False
            HostClock.ahead = self.host.ahead

    def _cut(self, moment: str, *, is_effect: bool) -> None:
        if connection.in_atomic_block:
            self.hand.outcome = "cut"
            shut(connection.connection)
        elif moment == "after":
            raise OperationalError if is_effect else psycopg.OperationalError
        else:
            shut(self.host.writer._connection)

    def _let_others(self, what: str, moment: str) -> None:
        world, it = self.world, self.it
        if what == "is taken over":
            other = world.hosts[(world.hosts.index(self.host) + 1) % len(world.hosts)]
            world.lapse(self.hand.claim.drain)
            world.take_over(other)
            world.claim(other)
            world.drive_all(other)
        elif what == "restarts elsewhere":
            # At the same entry and the same attempt number: only the fence tells them apart.
            world.operate(it, "restart", position=0, generation=it.generation)
            world.claim(world.hosts[(world.hosts.index(self.host) + 1) % len(world.hosts)])
        elif what == "times out":
            if moment != "after" and self._stands_at(*STEPS):
                self._time_out()
        elif what == "restart":
            world.operate(it, "restart", position=0, generation=it.generation)
        elif what == "send":
            world.operate(it, "send", type="go", key=None, generation=None)
        elif what == "create":
            world.create([it.instance_id.removeprefix("modelled-")], ["plain"], [])
        else:
            world.operate(it, what)

    def _time_out(self) -> None:
        entry = self.it.stages[self.hand.claim.position].name
        attempt = RunningAttempt(self.hand.claim, entry, POLICY, 0.0)
        is_held = self.it.holds(self.hand)
        assert fail_overdue(attempt, Checkpoints(self.world.watchdog)) == is_held
        if is_held:
            self.it.time_out()


def break_off(what: str, moment: str, claimer: Any) -> None:
    """Kill the process, or cut its claimer's connection."""
    if what == "dies":
        raise KilledError
    if moment == "after":
        raise psycopg.OperationalError("the answer was lost")
    shut(claimer)


def shut(session: Any) -> None:
    """Cut a connection as a network does: the next to use it finds out."""
    if session is None or session.closed:
        return
    with socket.socket(fileno=os.dup(session.pgconn.socket)) as wire:
        wire.shutdown(socket.SHUT_RDWR)
