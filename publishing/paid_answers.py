"""Use the paid answer: a person takes what was paid for, although the request has changed since."""

from django.db import connection, transaction

from workflows import verbs
from workflows.errors import VerbRefusedError
from workflows.models import Reason


@transaction.atomic
def use_paid_answer(instance_id: str, *, actor: str, why: str = "") -> bool:
    """Accept the stored answer for the request as it is now, and try the step again.

    It holds for the very request that the instance waits with: another one asks again. The call
    keeps what it was sent for, who accepted it and why in its outcome.

    Raises:
        UnknownInstanceError: no such instance.
        VerbRefusedError: it does not wait with a paid answer; nothing changed.
    """
    instance = verbs.get_instance(instance_id, lock=True)
    data = (instance.error or {}).get("data", {})
    if instance.reason != Reason.OPERATOR or not {"call", "request_hash"} <= data.keys():
        raise VerbRefusedError(
            f"use-paid-answer: {instance_id} does not wait with an answer that was paid for "
            "another request; nothing changed"
        )
    with connection.cursor() as cursor:
        cursor.execute(
            _ACCEPT,
            {
                "call": data["call"],
                "hash": data["request_hash"],
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
