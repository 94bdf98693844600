"""What the workers' hosts do every so often for the platform."""

import logging
from datetime import timedelta

from publishing.ledger import sweep, wake_what_fits
from publishing.ledger.blocks import wake_cleared
from workflows.chores import every

logger = logging.getLogger(__name__)


@every(timedelta(minutes=1))
def close_dead_calls() -> None:
    """Book paid calls whose answer can no longer come, so that their holds do not linger."""
    lost = sweep()
    if lost:
        logger.warning("lost %s paid calls, in full: their leases ended without an answer", lost)


@every(timedelta(seconds=1))
def wake_for_budget() -> None:
    """Let go on what waited for money, as far as there is room again."""
    wake_what_fits()


@every(timedelta(seconds=5))
def wake_for_cleared_models() -> None:
    """Let go on what waited for a model that an operator has cleared."""
    wake_cleared()
