"""The admin site: its front page says what needs a person, and the menu has our order."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse

from publishing.admin.dashboard import read_dashboard

# Headings of the menu, each with the models under it, as `app.Model`.
MENU = (
    ("Desk", ("workflows.Instance", "publishing.Review", "publishing.Brief", "publishing.Article")),
    ("Lanes", ("lanes.Lane", "lanes.Bundle", "lanes.LaneOptions", "lanes.LaneGraph")),
    ("Routines", ("publishing.Routine", "publishing.RoutineKey")),
    (
        "Money",
        ("publishing.Call", "publishing.Cap", "publishing.Price", "publishing.BlockedModel"),
    ),
    (
        "Workers",
        ("workflows.BulkOperation", "workflows.Schedule", "workflows.Drain", "workflows.Limit"),
    ),
    ("People", ("auth.User", "auth.Group")),
)


class PublishingAdminSite(AdminSite):
    """The house's admin."""

    site_header = "Presswork"
    site_title = "Presswork"
    index_title = "Desk"
    index_template = "admin/desk.html"

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show what needs a person, what runs, who works and what was spent."""
        board = read_dashboard(request.user)
        return super().index(request, {"board": board} | (extra_context or {}))

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the menu under our own headings; one app's own page is Django's."""
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        models = {
            f"{app['app_label']}.{model['object_name']}": (app, model)
            for app in apps
            for model in app["models"]
        }
        menu = [
            _section(title, [models.pop(n) for n in names if n in models]) for title, names in MENU
        ]
        rest = _section("More", list(models.values()))
        return [section for section in [*menu, rest] if section]


def _section(title: str, found: list[tuple[Any, Any]]) -> dict[str, Any] | None:
    if not found:
        return None
    app: dict[str, Any] = found[0][0]
    return app | {"name": title, "models": [model for _, model in found]}
