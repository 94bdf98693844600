"""Lanes: the list, and the form of the row, the bundle and the options; a save makes a version."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from lanes.models import Lane
from lanes.versions import draft_bundle, draft_options, save_bundle, save_options
from publishing.admin.base import HouseAdmin
from publishing.admin.bundle_form import LANE_FIELDS, LaneForm
from publishing.admin.lane_page import OPEN, open_instances
from publishing.admin.lane_pages import LanePages
from publishing.admin.lane_versions import kept_words, used_words
from publishing.admin.marks import lane_mark
from workflows.models import Instance


@admin.register(Lane)
class LaneAdmin(LanePages, HouseAdmin[Lane]):
    """Editors' pages of lanes; this form holds the lane's row, its bundle and its options."""

    form = LaneForm
    change_form_template = "admin/lanes/lane/form.html"
    list_display = (
        "lane",
        "name",
        "version",
        "graph_in_use",
        "open_count",
        "takes_briefs",
        "place",
    )
    list_display_links = None
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
        rows = super().get_queryset(request).select_related("bundle", "graph")
        mine = Instance.objects.filter(partition=OuterRef("name"), status__in=OPEN).order_by()
        counted = mine.values("partition").annotate(n=Count("pk")).values("n")
        return rows.annotate(
            open_instances=Coalesce(Subquery(counted, output_field=IntegerField()), 0)
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list under its own name."""
        return super().changelist_view(request, {"title": "Lanes"} | (extra_context or {}))

    def get_urls(self) -> list[URLPattern]:
        """Add the lane's other pages."""
        return [*self.lane_urls(), *super().get_urls()]

    def get_form(self, request: HttpRequest, obj: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Let the form begin with another version of the bundle, if the address names one."""
        form: Any = super().get_form(request, obj, *args, **kwargs)
        form.begin_with = request.GET.get("from", "")
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep the name once it is given: routines and instances know the lane by it."""
        return ("name",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Lanes are closed, not deleted: their briefs and articles stand."""
        return False

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
                           ) -> HttpResponse:  # fmt: skip
        """Show the form under the lane's other pages."""
        lane = kwargs.get("obj")
        if lane is not None:
            context |= {
                "lane": lane,
                "tab": "form",
                "open_instances": lane.open_instances,
                "may_add": self.has_add_permission(request),
                "title": f"Edit {lane.title}",
                "subtitle": None,
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Lane, form: Any, change: bool) -> None:  # noqa: FBT001
        """Save the row, and a new version of what was written anew."""
        if change:
            # Only what was edited: the bundle in use may be another editor's by now.
            obj.save(update_fields=[f for f in form.changed_data if f in LANE_FIELDS])
        else:
            obj.save()
        if form.is_draft:
            self._draft(request, obj, form)
        else:
            self._use(request, obj, form, is_new=not change)

    def response_change(self, request: HttpRequest, obj: Lane) -> HttpResponse:
        """Go to the lane's page, which shows what is in use now."""
        if "_continue" in request.POST:
            return super().response_change(request, obj)
        return HttpResponseRedirect(reverse("admin:lanes_lane_page", args=[obj.pk]))

    def _draft(self, request: HttpRequest, lane: Lane, form: Any) -> None:
        author: Any = request.user
        kept = []
        if form.new_specs is not None:
            note = form.cleaned_data["note"]
            version = draft_bundle(lane, form.new_specs, author=author, note=note)
            kept.append(f"Bundle {version}")
        if form.new_options is not None:
            note = form.cleaned_data["options_note"]
            version = draft_options(lane, form.new_options, author=author, note=note)
            kept.append(f"Options {version}")
        said = f"{' and '.join(kept)}: kept as a draft" if kept else "Nothing was changed"
        messages.success(request, f"{said}; what is in use stays.")

    def _use(self, request: HttpRequest, lane: Lane, form: Any, *, is_new: bool) -> None:
        author: Any = request.user
        if form.new_specs is not None:
            note = form.cleaned_data["note"]
            version = save_bundle(lane, form.new_specs, author=author, note=note)
            kept = kept_words(open_instances(lane).count())
            messages.success(request, f"{used_words('Bundle', version)}; {kept}")
        if form.new_options is not None or is_new:
            note = form.cleaned_data["options_note"]
            version = save_options(lane, form.new_options or {}, author=author, note=note)
            if not is_new:
                messages.success(request, f"{used_words('Options', version)}.")

    @admin.display(description="lane", ordering="place")
    def lane(self, obj: Lane) -> SafeString:
        """Return its title with its rule, linked to its page."""
        url = reverse("admin:lanes_lane_page", args=[obj.pk])
        return format_html('<a href="{}">{}</a>', url, lane_mark(obj.title, obj.hue))

    @admin.display(description="bundle in use")
    def version(self, obj: Lane) -> SafeString | str:
        """Return the number of the bundle in use, linked."""
        if obj.bundle is None:
            return "none: takes no briefs"
        url = reverse("admin:lanes_bundle_change", args=[obj.bundle_id])
        return format_html('<a href="{}">version {}</a>', url, obj.bundle.version)

    @admin.display(description="graph")
    def graph_in_use(self, obj: Lane) -> SafeString | str:
        """Return its own graph, linked, or the spine."""
        if obj.graph is None:
            return "the spine"
        url = reverse("admin:lanes_lanegraph_change", args=[obj.graph_id])
        return format_html('<a href="{}">own, version {}</a>', url, obj.graph.version)

    @admin.display(description="open instances")
    def open_count(self, obj: Any) -> int:
        """Return how many have not ended."""
        return int(obj.open_instances)

    @admin.display(description="takes briefs")
    def takes_briefs(self, obj: Lane) -> str:
        """Return whether it is open, or why not."""
        return f"closed: {obj.closed_because}" if obj.closed_because else "yes"
