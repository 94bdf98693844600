"""Create an instance, at most once per ID, for ever."""

import hashlib
import json
from typing import Any

from django.db import OperationalError, transaction
from psycopg.errors import LockNotAvailable

from workflows.errors import CreateBusyError, DuplicateInstanceError
from workflows.statements.create import insert_instance
from workflows.workers import call_for_drain


def create_instance(
    *, workflow: str, key: str, partition: str, graph: int, envelope: dict[str, Any], trigger: str
) -> int:
    """Create `{workflow}-{key}` in the caller's transaction and return its row's primary key.

    The row is the wake-up: standing drains look for it. A drain is called for on commit only
    where none stands.

    Args:
        workflow: name of a registered workflow.
        key: what the sender calls it; nothing is added to it.
        partition: on which limits and fairness act.
        graph: primary key of the stored graph that it will run.
        envelope: JSON frozen for the whole run.
        trigger: api, command, admin, schedule or import.

    Raises:
        DuplicateInstanceError: the ID is taken, by whatever workflow state; nothing changed.
        CreateBusyError: a twin held the ID uncommitted for 2 s; nothing changed.
    """
    try:
        with transaction.atomic():
            made = insert_instance(
                workflow=workflow,
                key=key,
                partition=partition,
                graph=graph,
                trigger=trigger,
                payload_hash=hashlib.sha256(
                    json.dumps(envelope, sort_keys=True).encode()
                ).hexdigest(),
                envelope=envelope,
            )
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise CreateBusyError(f"{workflow}-{key}") from None
        raise
    if made is None:
        raise DuplicateInstanceError(f"{workflow}-{key}")
    transaction.on_commit(call_for_drain)
    return made
