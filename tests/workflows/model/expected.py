"""What one instance must look like: every column that anything decides by, and its history.

It knows nothing of SQL. Operators' acts are predicted with their answers; a driver's writes are
applied when they have committed, and change nothing where the claim was lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.trial.modelled import RETRIES
from workflows.claims import Claim
from workflows.models import Outcome, Rank, Reason, Status
from workflows.statements.claims import CRASHES_MAX

NOW, LATER = "now", "later"  # of a moment: it has come, or not; None: there is none
REFUSED = "refused"
STEPS = ("plain", "effect")
ENDED = (Status.ERRORED, Status.TERMINATED, Status.COMPLETE)
OPEN_VALUE = "from the envelope"


@dataclass(frozen=True)
class Stage:
    """An entry of the graph: plain, effect, sleep, until, or a wait and what its timeout does."""

    name: str
    kind: str


@dataclass
class Sent:
    """An event; `key` is the sender's own name for it."""

    generation: int
    type: str
    key: str | None
    is_taken: bool = False


@dataclass
class Recorded:
    """A record of an entry."""

    generation: int
    stage: Stage
    value: str | None
    is_superseded: bool = False
    is_replacement: bool = False


@dataclass
class Hand:
    """A claim as its driver knows it, and what it learnt since it began the present entry.

    Attributes:
        outcome: what the step did; see `tests.workflows.model.writes`.
        seen: the event that a wait has found.
    """

    claim: Claim
    deadline: str | None
    outcome: str = ""
    value: str = ""
    seen: Sent | None = None
    is_stopping: bool = False


@dataclass
class Expected:
    """The instance as it must be; the fields are its columns."""

    pk: int
    instance_id: str
    stages: tuple[Stage, ...]
    generation: int = 1
    status: int = Status.QUEUED
    reason: str | None = None
    position: int = 0
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    fence: int = 0
    owner: int | None = None
    pause_requested: bool = False
    inbox: int = 0
    rank: int = Rank.NEW
    due: str | None = NOW
    wake: str | None = None
    deadline: str | None = None
    is_pruned: bool = False
    has_started: bool = False  # ever
    has_begun: bool = False  # in this generation
    moment: str = LATER  # the envelope's, which an `until` waits for
    is_old: bool = False  # it ended longer ago than its retention
    effects: list[str] = field(default_factory=list)
    records: list[Recorded] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    events: list[Sent] = field(default_factory=list)
    log: list[str] = field(default_factory=lambda: ["created"])

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        return self.stages[self.position]

    @property
    def is_suspect(self) -> bool:
        """Whether it is claimed alone."""
        return self.rank == Rank.SUSPECT

    def live(self, name: str) -> Recorded | None:
        """Return the record of an entry that counts."""
        return next((r for r in self.records if r.stage.name == name and not r.is_superseded), None)

    def taken_value(self) -> str | None:
        """Return what the step that it stands at must be given."""
        for stage in reversed(self.stages[: self.position]):
            if stage.kind in STEPS:
                record = self.live(stage.name)
                return record.value if record else None
        return OPEN_VALUE

    def oldest(self, generation: int) -> Sent | None:
        """Return the event that a wait of the generation must take next."""
        fitting = (e for e in self.events if (e.generation, e.type) == (generation, "go"))
        return next((event for event in fitting if not event.is_taken), None)

    def holds(self, hand: Hand) -> bool:
        """Whether a write under this claim must be accepted."""
        claim = hand.claim
        mine = (claim.fence, claim.position, claim.attempt)
        here = (self.fence, self.position, self.attempt)
        return self.status == Status.RUNNING and mine == here

    # What drains do.

    def begin(self, drain: int) -> None:
        """It is claimed."""
        assert self.due == NOW, f"{self.instance_id} was claimed and is not due"
        self.status, self.reason, self.owner, self.fence = (
            Status.RUNNING,
            None,
            drain,
            self.fence + 1,
        )
        self.due = self.wake = None
        self.attempt += 1
        self.has_started = self.has_begun = True

    def put_aside(self, reason: str, due: str | None) -> None:
        """It waits, or is paused if somebody asked for that."""
        self.status = Status.PAUSED if self.pause_requested else Status.WAITING
        self.rank = Rank.SUSPECT if self.crashes else Rank.WOKEN
        self.due = None if self.pause_requested else due
        self.reason, self.wake = reason, due
        self.leave()

    def crash(self) -> None:
        """Its drain is gone."""
        self.crashes += 1
        self.keep_try(Outcome.LOST)
        self.put_aside(Reason.RETRY, NOW)
        if self.crashes >= CRASHES_MAX:
            self.status, self.reason, self.due, self.wake = Status.ERRORED, None, None, None
            self.log.append("errored")

    def give_up(self, outcome: str) -> None:
        """It ends errored."""
        self.failures += 1
        self.keep_try(outcome)
        self.status = Status.ERRORED
        self.leave()
        self.log.append("errored")

    def retry_later(self, outcome: str, due: str) -> None:
        """A failure is counted, and it is tried again."""
        self.failures += 1
        self.keep_try(outcome)
        self.put_aside(Reason.RETRY, due)

    def time_out(self) -> None:
        """The watchdog fails the attempt."""
        if self.failures < RETRIES:
            self.retry_later(Outcome.TIMED_OUT, LATER)
        else:
            self.give_up(Outcome.TIMED_OUT)

    def pass_time(self) -> None:
        """What is later comes to be now."""
        self.due, self.wake, self.deadline = (
            NOW if moment == LATER else moment for moment in (self.due, self.wake, self.deadline)
        )
        self.moment, self.is_old = NOW, self.status in ENDED

    def prune(self) -> None:
        """It has outlived its retention."""
        if self.is_old and not self.is_pruned:
            self.is_pruned, self.fence = True, self.fence + 1
            self.records, self.tries, self.events = [], [], []
            self.log = [*(kind for kind in self.log if kind != "waiting"), "pruned"]

    # What its driver writes; see `writes` for the rest.

    def record(self, hand: Hand) -> None:
        """The entry is finished, and the next one begun."""
        value = hand.value if self.stage.kind in STEPS else None
        assert self.live(self.stage.name) is None, f"{self.stage.name} was recorded twice"
        self.records.append(Recorded(self.generation, self.stage, value))
        if self.stage.kind == "effect":
            self.effects.append(f"{self.pk} {self.generation} {self.stage.name}")
        if hand.seen is not None:
            assert not hand.seen.is_taken, "an event was taken twice"
            hand.seen.is_taken = True
        self.position += 1
        self.failures = self.crashes = 0
        self.deadline = None
        if self.position == len(self.stages):
            self.status, self.attempt = Status.COMPLETE, 0
            self.owner, self.pause_requested = None, False
            self.log.append("complete")
            return
        self.attempt = 0 if self.pause_requested else 1
        if self.pause_requested:
            self.status, self.rank, self.wake = Status.PAUSED, Rank.WOKEN, NOW
            self.leave()
            return
        moved = replace(hand.claim, position=self.position, attempt=1, inbox=self.inbox, failures=0)
        hand.claim, hand.deadline, hand.seen = moved, None, None

    def leave(self) -> None:
        """Nobody drives it any more."""
        self.owner, self.fence, self.pause_requested = None, self.fence + 1, False

    def keep_try(self, outcome: str) -> None:
        """An attempt ended without a record."""
        self.tries.append(f"{self.generation} {self.position} {self.attempt} {outcome}")

    # What must be seen in the database.

    def seen(self) -> Mapping[str, Any]:
        """Return it as `tests.workflows.model.look` reads it."""
        columns = (
            "instance_id generation status reason position attempt failures crashes fence owner "
            "pause_requested inbox rank due wake deadline is_pruned tries log"
        )
        told = {name: getattr(self, name) for name in columns.split()}
        told["records"] = [
            f"{r.generation} {r.stage.name} {r.value or '-'} {str(r.is_superseded).lower()}"
            for r in self.records
        ]
        told["events"] = [f"{e.generation} {e.type} {str(e.is_taken).lower()}" for e in self.events]
        return told
