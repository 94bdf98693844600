"""Lanes with their bundles and options; a save makes a version, and runs in flight keep theirs."""

import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from lanes.models import Bundle, Lane, LaneGraph, LaneOptions
from lanes.versions import save_bundle, save_options, use_version
from publishing.admin.base import HouseAdmin, ReadOnlyAdmin
from publishing.admin.bundle_form import LANE_FIELDS, LaneForm
from publishing.admin.marks import lane_mark, moment
from workflows.models import Instance, Status

OPEN = (Status.QUEUED, Status.RUNNING, Status.WAITING, Status.PAUSED)


@admin.register(Lane)
class LaneAdmin(HouseAdmin[Lane]):
    """Editors' page: the lane's row, its bundle and its options in one form."""

    form = LaneForm
    change_form_template = "admin/lanes/lane/form.html"
    list_display = ("lane", "name", "version", "open_count", "takes_briefs", "place")
    list_display_links = ("lane",)
    search_fields = ("name", "title")
    fieldsets = (
        (None, {"fields": ("name", "title", "description", ("hue", "place"), "closed_because")}),
        (
            "Bundle",
            {
                "fields": ("voice", "audience", "brief_hints", "note", "based_on"),
                "description": "Saving a change here makes a new version. Briefs from then on are "
                "written with it; instances that run or wait keep the one they have.",
            },
        ),
        ("Options", {"fields": ("option_values", "options_note", "options_based_on")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lane]:
        """Return lanes with the number of their open instances, in one query."""
        rows = super().get_queryset(request).select_related("bundle")
        mine = Instance.objects.filter(partition=OuterRef("name"), status__in=OPEN).order_by()
        counted = mine.values("partition").annotate(n=Count("pk")).values("n")
        return rows.annotate(
            open_instances=Coalesce(Subquery(counted, output_field=IntegerField()), 0)
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep the name once it is given: routines and instances know the lane by it."""
        return ("name",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Lanes are closed, not deleted: their briefs and articles stand."""
        return False

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
                           ) -> HttpResponse:  # fmt: skip
        """Show the lane's versions beside the form."""
        lane = kwargs.get("obj")
        if lane is not None:
            versions = lane.bundles.select_related("author")
            context |= {"versions": list(versions[:12]), "open_instances": lane.open_instances}
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Lane, form: Any, change: bool) -> None:  # noqa: FBT001
        """Save the row, and a new version of what was written anew."""
        if change:
            # Only what was edited: the bundle in use may be another editor's by now.
            obj.save(update_fields=[f for f in form.changed_data if f in LANE_FIELDS])
        else:
            obj.save()
        author: Any = request.user
        if form.new_specs is not None:
            note = form.cleaned_data["note"]
            version = save_bundle(obj, form.new_specs, author=author, note=note)
            kept = Instance.objects.filter(partition=obj.name, status__in=OPEN).count()
            messages.success(request, _said(version, kept))
        if form.new_options is not None or not change:
            note = form.cleaned_data["options_note"]
            entries = form.new_options or {}
            version = save_options(obj, entries, author=author, note=note)
            if change:
                messages.success(request, f"Options {version} are used for briefs from now on.")

    @admin.display(description="lane", ordering="place")
    def lane(self, obj: Lane) -> SafeString:
        """Return its title with its rule."""
        return lane_mark(obj.title, obj.hue)

    @admin.display(description="bundle in use")
    def version(self, obj: Lane) -> SafeString | str:
        """Return the number of the bundle in use, linked."""
        if obj.bundle is None:
            return "none: takes no briefs"
        url = reverse("admin:lanes_bundle_change", args=[obj.bundle_id])
        return format_html('<a href="{}">version {}</a>', url, obj.bundle.version)

    @admin.display(description="open instances")
    def open_count(self, obj: Any) -> int:
        """Return how many have not ended."""
        return int(obj.open_instances)

    @admin.display(description="takes briefs")
    def takes_briefs(self, obj: Lane) -> str:
        """Return whether it is open, or why not."""
        return f"closed: {obj.closed_because}" if obj.closed_because else "yes"


class VersionAdmin(ReadOnlyAdmin[Any]):
    """A stored version: seen by whoever may see the lane's, changed by nobody."""

    list_filter = ("lane",)
    list_select_related = ("lane", "author")
    date_hierarchy = None

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


@admin.register(Bundle)
class BundleAdmin(VersionAdmin):
    """Versions of bundles."""

    change_form_template = "admin/lanes/bundle/page.html"
    list_display = ("version_name", "of_lane", "in_use", "note", "by", "saved")
    fields = ("of_lane", "version", "in_use", "note", "by", "saved")
    readonly_fields = ("of_lane", "in_use", "by", "saved")
    list_select_related = ("lane__bundle", "author")

    def get_urls(self) -> list[URLPattern]:
        """Add the button that puts a version to use again."""
        use = path(
            "<path:object_id>/use/",
            self.admin_site.admin_view(self.use_view),
            name="lanes_bundle_use",
        )
        return [use, *super().get_urls()]

    def use_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Put this version to use again."""
        if not request.user.has_perm("lanes.change_lane"):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        bundle = self.get_object(request, object_id)
        if bundle is None:
            raise Http404(f"no bundle is {object_id}")
        author: Any = request.user
        use_version(bundle, author=author)
        kept = Instance.objects.filter(partition=bundle.lane.name, status__in=OPEN).count()
        messages.success(request, _said(bundle.version, kept))
        return HttpResponseRedirect(reverse("admin:lanes_bundle_change", args=[bundle.pk]))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
                           ) -> HttpResponse:  # fmt: skip
        """Show the specs as prose."""
        bundle = kwargs["obj"]
        context |= {
            "bundle": bundle,
            "is_in_use": bundle.lane.bundle_id == bundle.pk,
            "may_use": request.user.has_perm("lanes.change_lane"),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="version", ordering="-version")
    def version_name(self, obj: Bundle) -> str:
        """Return lane and number."""
        return f"{obj.lane.name} bundle {obj.version}"

    @admin.display(description="in use", boolean=True)
    def in_use(self, obj: Bundle) -> bool:
        """Return whether briefs are written with it now."""
        return obj.lane.bundle_id == obj.pk


@admin.register(LaneOptions)
class LaneOptionsAdmin(VersionAdmin):
    """Versions of options."""

    list_display = ("version_name", "of_lane", "in_use", "note", "by", "saved")
    fields = ("of_lane", "version", "in_use", "entries_shown", "note", "by", "saved")
    readonly_fields = ("of_lane", "in_use", "by", "saved", "entries_shown")

    @admin.display(description="version", ordering="-version")
    def version_name(self, obj: LaneOptions) -> str:
        """Return lane and number."""
        return f"{obj.lane.name} options {obj.version}"

    @admin.display(description="in use", boolean=True)
    def in_use(self, obj: LaneOptions) -> bool:
        """Return whether briefs are run with them now."""
        return obj.lane.options_id == obj.pk

    @admin.display(description="options")
    def entries_shown(self, obj: LaneOptions) -> SafeString:
        """Return the options as JSON."""
        return format_html('<pre class="json">{}</pre>', json.dumps(obj.entries, indent=2))


@admin.register(LaneGraph)
class LaneGraphAdmin(VersionAdmin):
    """Versions of lanes' own graphs."""

    list_display = ("version_name", "of_lane", "in_use", "note", "by", "saved")
    fields = ("of_lane", "version", "in_use", "reason", "entries_shown", "note", "by", "saved")
    readonly_fields = ("of_lane", "in_use", "by", "saved", "entries_shown")

    @admin.display(description="version", ordering="-version")
    def version_name(self, obj: LaneGraph) -> str:
        """Return lane and number."""
        return f"{obj.lane.name} graph {obj.version}"

    @admin.display(description="in use", boolean=True)
    def in_use(self, obj: LaneGraph) -> bool:
        """Return whether briefs are run with it now."""
        return obj.lane.graph_id == obj.pk

    @admin.display(description="entries")
    def entries_shown(self, obj: LaneGraph) -> SafeString:
        """Return the entries as JSON."""
        return format_html('<pre class="json">{}</pre>', json.dumps(obj.entries, indent=2))


def _said(version: int, kept: int) -> str:
    they = "1 open instance keeps its" if kept == 1 else f"{kept} open instances keep theirs"
    return f"Version {version} is used for briefs from now on; {they}."
