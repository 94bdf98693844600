"""System checks: the spine fits the registered steps."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from lanes.models import Lane
from lanes.selection import WORKFLOW, compile_entries
from workflows.errors import ContractError
from workflows.graphs import prove_graph


@register()
def check_spine(**kwargs: Any) -> list[CheckMessage]:
    """Prove the spine, as a lane without options of its own runs it."""
    try:
        prove_graph(compile_entries(Lane(name="any", title="Any")), workflow=WORKFLOW)
    except ContractError as error:
        return [
            Error(
                f"The spine does not fit the steps: {error}",
                hint="Mend lanes/spine.py or the stage that the path names.",
                id="lanes.E001",
            )
        ]
    return []
