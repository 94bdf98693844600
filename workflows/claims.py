"""Claims: the right to drive an instance, taken in one short transaction."""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from workflows.connection import EngineConnection, Fetch, Row
from workflows.statements.claims import (
    ANY_DUE,
    CLAIM,
    CLAIM_SUSPECT,
    ENVELOPES,
    GIVE_BACK,
    LOCK_CLAIMS,
    TAKE_OVER,
)


@dataclass(frozen=True)
class Claim:
    """One instance as it was claimed; fence, position and attempt void every late write.

    Attributes:
        instance: primary key; `instance_id` is the ID that people read.
        drain: the owner.
        crashes: processes that died while driving it since its last finished step.
        inbox: events that had been sent to it when it was claimed, or last moved on.
        deadline_at: end of the sleep or wait that it stands at, once that has begun.
        policy: the retry policy that the entry's first failure froze; None before it.
        envelope: what a new instance was sent with, if it was read together with others'.
    """

    drain: int
    instance: int
    instance_id: str
    workflow: str
    key: str
    graph: int
    generation: int
    position: int
    attempt: int
    failures: int
    crashes: int
    fence: int
    attempt_started_at: datetime
    inbox: int = 0
    deadline_at: datetime | None = None
    policy: Mapping[str, Any] | None = None
    envelope: Mapping[str, Any] | None = None

    @property
    def is_suspect(self) -> bool:
        """Whether it may be what kills processes."""
        return self.crashes > 0


def claim_due(
    connection: EngineConnection, *, drain: int, slots: int, with_suspect: bool
) -> list[Claim]:
    """Claim at most `slots` due instances, fairly between partitions and within the limits.

    Args:
        connection: the claimer's own.
        drain: who will own them.
        slots: free threads of the drain.
        with_suspect: whether one of them may be a suspect.
    """
    if slots < 1:
        return []
    ((is_suspect_due, is_any_due),) = connection.fetch(ANY_DUE, {})
    with_suspect = with_suspect and is_suspect_due
    if not (with_suspect or is_any_due):
        return []

    def claim(fetch: Fetch) -> list[Row]:
        fetch(LOCK_CLAIMS, {})
        parameters = {"drain": drain, "seed": secrets.token_hex(4)}
        taken = fetch(CLAIM_SUSPECT, parameters | {"slots": slots}) if with_suspect else []
        return taken + fetch(CLAIM, parameters | {"slots": slots - len(taken)})

    claims = [Claim(drain, *row) for row in connection.in_one_transaction(claim)]
    return _with_envelopes(claims, connection)


def _with_envelopes(claims: list[Claim], connection: EngineConnection) -> list[Claim]:
    """Read what the new ones were sent with in one statement; of the others steps read more."""
    new = [claim.instance for claim in claims if claim.position == 0]
    found: dict[int, Any] = dict(connection.fetch(ENVELOPES, {"instances": new})) if new else {}
    return [
        replace(claim, envelope=found[claim.instance]) if claim.instance in found else claim
        for claim in claims
    ]


def give_back_unheld(connection: EngineConnection, *, drain: int, held: Collection[int]) -> None:
    """Make due again what the drain owns and does not hold.

    A claim whose commit was not answered owns instances that nobody drives.
    """
    connection.fetch(GIVE_BACK, {"drain": drain, "held": list(held)})


def take_over_lapsed(connection: EngineConnection) -> int:
    """Put what lapsed or ended drains still owned back among the due; return how many."""
    return int(connection.fetch(TAKE_OVER, {})[0][0])
