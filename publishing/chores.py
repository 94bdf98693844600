"""What the workers' hosts do every so often for the platform."""

from datetime import timedelta

from publishing.ledger import sweep
from workflows.chores import every


@every(timedelta(minutes=1))
def close_dead_calls() -> None:
    """Book paid calls whose answer can no longer come, so that their holds do not linger."""
    sweep()
