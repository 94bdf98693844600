"""Use the paid answer: a person takes what was paid for, although the request has changed since."""

from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from publishing.models import Call
from workflows import verbs
from workflows.errors import VerbRefusedError
from workflows.models import Instance, Reason, Status


@dataclass(frozen=True)
class PaidAnswer:
    """The answer that an instance waits with.

    Attributes:
        call: that paid for it, for the request whose hash it keeps.
        request_hash: of the request that the step would send now.
    """

    call: Call
    request_hash: str


def find_paid_answer(instance: Instance) -> PaidAnswer | None:
    """Return the answer that was paid for another request, if the instance waits with one."""
    data: dict[str, Any] = (instance.error or {}).get("data") or {}
    waits = instance.status == Status.WAITING and instance.reason == Reason.OPERATOR
    if not waits or not {"call", "request_hash"} <= data.keys():
        return None
    call = Call.objects.defer("answer").filter(pk=data["call"], answer__isnull=False).first()
    return PaidAnswer(call, str(data["request_hash"])) if call else None


@transaction.atomic
def use_paid_answer(
    instance_id: str, *, actor: str, why: str = "", request_hash: str | None = None
) -> bool:
    """Accept the stored answer for the request as it is now, and try the step again.

    It holds for the very request that the instance waits with: another one asks again. The call
    keeps what it was sent for, who accepted it and why in its outcome.

    Args:
        instance_id: the whole ID.
        actor: who accepts it.
        why: kept with the call and in the event log.
        request_hash: of the request that the caller has seen; None for whatever it waits with.

    Raises:
        UnknownInstanceError: no such instance.
        VerbRefusedError: it waits with no paid answer, or by now with another request; nothing
            changed.
    """
    paid = find_paid_answer(verbs.get_instance(instance_id, lock=True))
    if paid is None:
        raise VerbRefusedError(
            f"use-paid-answer: {instance_id} does not wait with an answer that was paid for "
            "another request; nothing changed"
        )
    if request_hash not in (None, paid.request_hash):
        raise VerbRefusedError(
            f"use-paid-answer: {instance_id} waits with another request by now "
            f"({paid.request_hash[:12]}); look again. Nothing changed"
        )
    with connection.cursor() as cursor:
        cursor.execute(
            _ACCEPT,
            {
                "call": paid.call.pk,
                "hash": paid.request_hash,
                "words": f"accepted by {actor} for a changed request" + (why and f": {why}"),
            },
        )
    return verbs.retry(instance_id, actor=actor, why=f"use-paid-answer {why}".strip())


# `answer is not null`: only what was paid for and came can be used.
_ACCEPT = """
update publishing_call
set request_hash = %(hash)s,
    outcome = concat_ws('; ', nullif(outcome, ''), %(words)s || ' (sent as ' || request_hash || ')')
where id = %(call)s and answer is not null and request_hash <> %(hash)s
"""
