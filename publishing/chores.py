"""What the workers' hosts do every so often for the platform."""

from datetime import timedelta

from publishing.ledger import sweep, wake_what_fits
from workflows.chores import every


@every(timedelta(minutes=1))
def close_dead_calls() -> None:
    """Book paid calls whose answer can no longer come, so that their holds do not linger."""
    sweep()


@every(timedelta(seconds=1))
def wake_for_budget() -> None:
    """Let go on what waited for money, as far as there is room again."""
    wake_what_fits()
