"""App configuration of lanes and bundles."""

from django.apps import AppConfig


class LanesConfig(AppConfig):
    """Lanes, bundles, the spine and dispatch plans."""

    name = "lanes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from lanes import checks  # noqa: F401
