"""Blocked models: who waits for one, and the verb that clears it.

A bill above its hold says that a price here is wrong. Nothing is sent to the model until a person
has looked; what waited for it then goes on, oldest first.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.fields.json import KT

from publishing.models import BlockedModel, ClearedBlock
from workflows import verbs
from workflows.errors import VerbRefusedError
from workflows.models import Instance, Reason, Status

logger = logging.getLogger(__name__)

AT_ONCE = 200  # instances in one transaction; the workers' chore wakes the others behind them


@dataclass(frozen=True)
class Cleared:
    """What clearing a block did.

    Attributes:
        woken: instances that go on now.
        to_follow: those that the workers wake next.
    """

    block: ClearedBlock
    woken: int
    to_follow: int


def waiting_for_model(model: str) -> QuerySet[Instance]:
    """Return the instances that wait for an operator to clear the model, oldest first."""
    return _waiting().filter(error__data__model=model)


@transaction.atomic
def clear_block(model: str, *, actor: str, why: str) -> Cleared:
    """Let a model be asked again, keep who said so and why, and wake what waits for it.

    Args:
        model: as the vendor names it.
        actor: who clears it.
        why: kept with the block, and in the event log of each instance.

    Raises:
        VerbRefusedError: no reason, or the model is not blocked: of two at once one clears it;
            nothing changed.
    """
    if not why.strip():
        raise VerbRefusedError(f"clear: say why {model} may be asked again; nothing changed")
    call, since = _take(model)
    block = ClearedBlock.objects.create(
        model=model, call_id=call, since=since, actor=actor, why=why
    )
    waiting = waiting_for_model(model)
    total = waiting.count()
    woken = _wake(waiting[:AT_ONCE], {model: block})
    return Cleared(block=block, woken=woken, to_follow=max(0, total - AT_ONCE))


def wake_cleared() -> int:
    """Wake what waits for models that are blocked no more, oldest first; return how many.

    Beyond those that the verb itself woke, it finds what had read the block just before it went.
    Safe on any number of hosts at once: each wake is one conditional update.
    """
    blocked = BlockedModel.objects.filter(model=OuterRef("of"))
    cleared = ClearedBlock.objects.filter(model=OuterRef("of"))
    waiting = _waiting().annotate(of=KT("error__data__model"))
    waiting = waiting.filter(Exists(cleared), ~Exists(blocked))[:AT_ONCE]
    woken = _wake(waiting, _latest_blocks({row.of for row in waiting}))
    if woken:
        logger.info("woke %s that waited for models which are blocked no more", woken)
    return woken


def _waiting() -> QuerySet[Instance, Any]:
    return Instance.objects.filter(
        status=Status.WAITING, reason=Reason.OPERATOR, due_at=None
    ).order_by("pk")


def _latest_blocks(models: set[str]) -> dict[str, ClearedBlock]:
    cleared = ClearedBlock.objects.filter(model__in=models).order_by("pk")
    return {block.model: block for block in cleared}


def _take(model: str) -> tuple[int, datetime]:
    """Delete the block; the statement decides who of many clears it."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [model])
        row = cursor.fetchone()
    if row is None:
        raise VerbRefusedError(f"clear: {model} is not blocked; nothing changed")
    return int(row[0]), row[1]


def _wake(waiting: Any, blocks: dict[str, ClearedBlock]) -> int:
    woken = 0
    for instance in waiting:
        block = blocks[instance.error["data"]["model"]]
        why = f"{block.model} is cleared: {block.why}"
        try:
            with transaction.atomic():
                woken += verbs.retry(str(instance.instance_id), actor=block.actor, why=why)
        except VerbRefusedError:  # somebody else's verb was faster, and it waits no more
            logger.info("%s had gone on before %s was cleared", instance, block.model)
    return woken


_TAKE = "delete from publishing_blockedmodel where model = %s returning call_id, since"
