"""The engine's own steps: what operators ordered, and what is done every night."""

from datetime import timedelta

from workflows.bulk import apply_bulk
from workflows.contracts import Contract
from workflows.pruning import prune
from workflows.registry import Retention, register_workflow, step

__all__ = ["apply_bulk"]  # registered by its import

PRUNE_ENTRIES = [{"step": "prune_ended"}]


class PruneOrder(Contract):
    """When the pruning was due."""

    scheduled_at: str = ""


class PruneResult(Contract):
    """How many instances were emptied, by workflow."""

    pruned: dict[str, int]


register_workflow(
    "prune",
    provides={PruneOrder: lambda envelope: PruneOrder.model_validate(envelope)},
    retention=Retention(success=timedelta(days=7), error=timedelta(days=90)),
)


@step("prune_ended")
def prune_ended(order: PruneOrder) -> PruneResult:
    """Prune every workflow; what an earlier attempt pruned is not there to be pruned again."""
    return PruneResult(pruned={each.workflow: each.success + each.error for each in prune()})
