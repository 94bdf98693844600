"""App configuration of the publishing platform."""

from django.apps import AppConfig


class PublishingConfig(AppConfig):
    """Briefs, articles, money, API, admin and site."""

    name = "publishing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the chores, and what one of a lane's briefs may cost."""
        from lanes.costs import register_cost_bound
        from publishing import chores  # noqa: F401
        from publishing.ledger.caps import brief_cap_of

        register_cost_bound(brief_cap_of)
