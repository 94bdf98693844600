"""System checks: the spine fits the registered steps, and so does every lane as it stands.

The spine is proved by every command that checks anything. What lanes have in use is in the
database, so it is proved where Django may ask it: `manage.py check --database default`, and every
`migrate`.
"""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from lanes.compiler import Makeup, prove_lane
from lanes.costs import prove_affordable
from lanes.models import Lane
from lanes.rule import refuse_without_reason
from workflows.errors import ContractError


@register()
def check_spine(**kwargs: Any) -> list[CheckMessage]:
    """Prove the spine, as a lane without options of its own runs it."""
    try:
        prove_lane(Lane(name="any", title="Any"))
    except ContractError as error:
        return [
            Error(
                f"The spine does not fit the steps: {error}",
                hint="Mend lanes/spine.py or the stage that the path names.",
                id="lanes.E001",
            )
        ]
    return []


@register(Tags.database)
def check_lanes(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Prove what every lane has in use: graph, options, and what a brief may cost by them."""
    if not databases or "default" not in databases or not _is_migrated():
        return []
    lanes = Lane.objects.select_related("graph", "options")
    return [message for lane in lanes for message in _check_lane(lane)]


def _check_lane(lane: Lane) -> list[CheckMessage]:
    try:
        prove_affordable(Makeup.of(lane))
    except ContractError as error:
        return [
            Error(
                f"lane {lane.name}: {error}",
                hint="Put another version to use, mend the step that the path names, or raise "
                "the cap.",
                id="lanes.E002",
            )
        ]
    return _check_reason(lane)


def _check_reason(lane: Lane) -> list[CheckMessage]:
    """Say that a graph would not be let through today; its briefs run all the same."""
    if lane.graph is None:
        return []
    try:
        refuse_without_reason(lane.graph.entries, lane.graph.reason)
    except ContractError as error:
        return [
            Warning(
                f"lane {lane.name}: {error}",
                hint="Save the graph anew with a reason, or put the lane back on the spine.",
                id="lanes.W001",
            )
        ]
    return []


def _is_migrated() -> bool:
    """Return whether all tables are as this code has them; before that there is no lane to ask."""
    executor = MigrationExecutor(connections["default"])
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
