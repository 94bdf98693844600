"""App configuration of the publishing platform."""

from django.apps import AppConfig


class PublishingConfig(AppConfig):
    """Briefs, articles, money, API, admin and site."""

    name = "publishing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the chores."""
        from publishing import chores  # noqa: F401
