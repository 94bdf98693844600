"""Retention: what an ended instance keeps, and for how long. Its row, and so its ID, stays.

A workflow says how long in its registration, success and error apart. Pruning takes envelope,
records, attempts, events and the log's notes on waits; it keeps ID, partition, state, times,
payload hash, and the log of what people did.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction

from workflows.models import Status
from workflows.registry import all_workflows, get_workflow
from workflows.statements import execute
from workflows.statements.pruning import COUNT_DUE, PRUNE

BATCH = 500  # instances a transaction
_SUCCESS = [Status.COMPLETE]
_ERROR = [Status.ERRORED, Status.TERMINATED]


@dataclass(frozen=True)
class Pruned:
    """How many instances of a workflow were pruned, or would be."""

    workflow: str
    success: int
    error: int


def prune(workflow: str | None = None, *, dry_run: bool = False) -> list[Pruned]:
    """Prune what has outlived its retention, in small transactions; safe twice at once.

    Args:
        workflow: only this one; None for all that are registered.
        dry_run: count what would go, and change nothing.

    Raises:
        ContractError: no such workflow.
    """
    chosen = [get_workflow(workflow)] if workflow else all_workflows()
    return [
        Pruned(
            workflow=each.name,
            success=_prune(each.name, _SUCCESS, each.retention.success, dry_run=dry_run),
            error=_prune(each.name, _ERROR, each.retention.error, dry_run=dry_run),
        )
        for each in chosen
    ]


def _prune(workflow: str, ended: list[Status], age: timedelta | None, *, dry_run: bool) -> int:
    if age is None:
        return 0
    parameters = {
        "workflow": workflow,
        "ended": [int(status) for status in ended],
        "age": age,
        "limit": BATCH,
    }
    if dry_run:
        return int(execute(COUNT_DUE, parameters)[0][0])
    pruned, last = 0, BATCH
    while last == BATCH:
        with transaction.atomic():
            last = int(execute(PRUNE, parameters)[0][0])
        pruned += last
    return pruned
