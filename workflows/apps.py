"""App configuration of the durable-workflow engine."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class WorkflowsConfig(AppConfig):
    """The engine: instances, steps, drains."""

    name = "workflows"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import every app's `stages`, so that each step is registered in every process."""
        autodiscover_modules("stages")
        from workflows import checks  # noqa: F401
