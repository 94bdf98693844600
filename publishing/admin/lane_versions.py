"""Stored versions of bundles, options and graphs: each with its page, and what can be done with it.

Nobody edits one. It is put to use as it stands, or rolled back to: that makes a new version.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from lanes.models import Bundle, LaneGraph, LaneOptions
from lanes.storing import AnyVersion
from lanes.versions import roll_back, use_version
from publishing.admin.base import ReadOnlyAdmin
from publishing.admin.lane_page import open_instances, show_version
from publishing.admin.marks import lane_mark, moment
from publishing.admin.seen_versions import SupersededError, still_in_use
from publishing.admin.version_kinds import kind_of, lines_of, parts_of
from workflows.errors import ContractError


class VersionAdmin(ReadOnlyAdmin[Any]):
    """A stored version: seen by whoever may see the lane's, changed by nobody."""

    change_form_template = "admin/lanes/version.html"
    list_display = ("version_name", "of_lane", "in_use", "note", "by", "saved")
    list_filter = ("lane",)
    list_select_related = ("lane__bundle", "lane__options", "lane__graph", "author")
    fields = ("note", "by", "saved")
    readonly_fields = ("by", "saved")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see or change lanes may see what they have had."""
        may_see_lanes = request.user.has_perm("lanes.view_lane")
        may_see_lanes = may_see_lanes or request.user.has_perm("lanes.change_lane")
        return super().has_view_permission(request, obj) or may_see_lanes

    def get_urls(self) -> list[URLPattern]:
        """Add the two buttons of a version."""
        view = self.admin_site.admin_view
        name = f"lanes_{self.opts.model_name}"
        own = [
            path("<path:object_id>/use/", view(self.use_view), name=f"{name}_use"),
            path("<path:object_id>/roll-back/", view(self.roll_back_view), name=f"{name}_back"),
        ]
        return [*own, *super().get_urls()]

    def use_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Put this version to use from now on."""
        return self._act(request, object_id, _use)

    def roll_back_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Save what this version says as a new one, in use from now on."""
        return self._act(request, object_id, _roll_back)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
                           ) -> HttpResponse:  # fmt: skip
        """Show what the version says, and what can be done with it."""
        version = kwargs["obj"]
        kind = kind_of(version)
        now = getattr(version.lane, kind.name)
        context |= {
            "kind": kind,
            "version": version,
            "lane": version.lane,
            "now": now,
            "is_in_use": now is not None and now.pk == version.pk,
            "is_draft": not version.uses.exists(),
            "open_count": open_instances(version.lane).count(),
            "may_use": request.user.has_perm("lanes.change_lane"),
            "parts": parts_of(version),
            "title": f"{kind.title} {version.version} of {version.lane.title}",
            "subtitle": None,
        }
        if isinstance(version, LaneGraph):
            shown = show_version(version.lane, version.entries, reason=version.reason)
            context |= {"graph": shown, "entries_text": lines_of(version.entries)}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="version", ordering="-version")
    def version_name(self, obj: Any) -> str:
        """Return lane and number."""
        return str(obj)

    @admin.display(description="in use", boolean=True)
    def in_use(self, obj: Any) -> bool:
        """Return whether briefs are run with it now."""
        return bool(getattr(obj.lane, f"{kind_of(obj).name}_id") == obj.pk)

    @admin.display(description="lane", ordering="lane__place")
    def of_lane(self, obj: Any) -> SafeString:
        """Return the lane."""
        return lane_mark(obj.lane.title, obj.lane.hue)

    @admin.display(description="saved", ordering="created_at")
    def saved(self, obj: Any) -> SafeString:
        """Return when it was saved."""
        return moment(obj.created_at)

    @admin.display(description="by")
    def by(self, obj: Any) -> str:
        """Return who saved it."""
        return obj.author.get_username() if obj.author else "a command"

    def _act(
        self, request: HttpRequest, object_id: str, act: Callable[[AnyVersion, Any], str]
    ) -> HttpResponse:
        """Do it if the version that its author saw is still in use; then show what is."""
        if not request.user.has_perm("lanes.change_lane"):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        version = self.get_object(request, object_id)
        if version is None:
            raise Http404(f"no {self.opts.verbose_name} is {object_id}")
        try:
            with still_in_use(version.lane, kind_of(version).name, request.POST.get("seen", "")):
                said = act(version, request.user)
        except SupersededError as error:
            messages.error(request, f"{error}. Nothing changed; this is how it stands now.")
        except ContractError as error:
            messages.error(request, f"{error}. Nothing changed.")
        else:
            messages.success(request, f"{said}; {kept_words(open_instances(version.lane).count())}")
            return HttpResponseRedirect(reverse("admin:lanes_lane_page", args=[version.lane_id]))
        url = reverse(f"admin:lanes_{self.opts.model_name}_change", args=[version.pk])
        return HttpResponseRedirect(url)


@admin.register(Bundle)
class BundleAdmin(VersionAdmin):
    """Versions of bundles."""


@admin.register(LaneOptions)
class LaneOptionsAdmin(VersionAdmin):
    """Versions of options."""


@admin.register(LaneGraph)
class LaneGraphAdmin(VersionAdmin):
    """Versions of lanes' own graphs."""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the reason as well."""
        return (*self.fields, "reason")


def used_words(title: str, version: int) -> str:
    """Say which version briefs are run with now."""
    return f"{title} {version} is used for briefs from now on"


def kept_words(kept: int) -> str:
    """Say what the instances that have not ended keep."""
    if kept == 0:
        return "no instance is open."
    return f"{kept} open {'instance keeps its' if kept == 1 else 'instances keep their'} own."


def _use(version: AnyVersion, author: Any) -> str:
    use_version(version, author=author)
    return used_words(kind_of(version).title, version.version)


def _roll_back(version: AnyVersion, author: Any) -> str:
    made = roll_back(version, author=author)
    title = kind_of(version).title
    return f"{used_words(title, made)}: it says what version {version.version} said"
