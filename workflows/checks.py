"""System checks: settings that would break the engine's promises."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

LEASE_SECONDS_LEAST = 3


@register()
def check_queue_settings(**kwargs: Any) -> list[CheckMessage]:
    """Refuse settings under which django-q2 would hand out a drain that still runs."""
    problems: list[CheckMessage] = []
    queue = settings.Q_CLUSTER
    if queue["timeout"] <= settings.WORKFLOWS_DRAIN_SECONDS or queue["retry"] <= queue["timeout"]:
        problems.append(
            Error(
                "Q_CLUSTER: needs drain budget < timeout < retry.",
                hint="Leave timeout and retry as publishing/settings.py computes them.",
                id="workflows.E001",
            )
        )
    if settings.WORKFLOWS_LEASE_SECONDS < LEASE_SECONDS_LEAST:
        problems.append(
            Error(
                f"WORKFLOWS_LEASE_SECONDS is below {LEASE_SECONDS_LEAST}.",
                hint="A busy machine would lose its lease between two beats.",
                id="workflows.E002",
            )
        )
    return problems
