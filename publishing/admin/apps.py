"""App configuration: Django's admin with our site; every page is registered from here."""

import importlib

from django.apps import apps
from django.contrib.admin.apps import AdminConfig

PAGES = (
    "instances",
    "lanes",
    "lane_versions",
    "desk",
    "reviews",
    "keys",
    "spend",
    "caps",
    "blocked",
    "prices",
    "workers",
    "bulk_operations",
    "schedules",
)


class PublishingAdminConfig(AdminConfig):
    """Django's admin, served by `PublishingAdminSite`."""

    default_site = "publishing.admin.site.PublishingAdminSite"

    def ready(self) -> None:
        """Register our pages, and take django-q2's away: operators work on instances."""
        super().ready()
        for page in PAGES:
            importlib.import_module(f"publishing.admin.{page}")
        from django.contrib import admin

        for model in apps.get_app_config("django_q").get_models():
            if admin.site.is_registered(model):
                admin.site.unregister(model)
