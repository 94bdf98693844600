"""Instances: the list, the page of one run, and the verbs from both."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    JsonResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import quote_etag
from django.utils.safestring import SafeString

from publishing.admin import downloads
from publishing.admin.base import ReadOnlyAdmin
from publishing.admin.brief_search import find_briefs
from publishing.admin.bulk import BulkVerbs
from publishing.admin.filters import (
    CreatedFilter,
    LaneFilter,
    ReasonFilter,
    StatusFilter,
    WorkflowFilter,
)
from publishing.admin.made_with import graph_link
from publishing.admin.marks import instance_words, lane_mark, moment, money, status_mark
from publishing.admin.sent import read_events
from publishing.admin.timeline import read_timeline
from publishing.admin.verb import current_entry
from publishing.admin.verb_pages import VerbPages
from publishing.ledger.costs import cost_of_brief
from workflows.models import Attempt, Instance, Status

ENDED = (Status.ERRORED, Status.TERMINATED, Status.COMPLETE)


@admin.register(Instance)
class InstanceAdmin(VerbPages, BulkVerbs, ReadOnlyAdmin[Instance]):
    """Read-only rows; the operators' verbs are the only way to act on one."""

    list_display = ("state", "id_link", "title", "lane", "step", "tries", "age", "cost")
    list_display_links = None
    list_filter = (StatusFilter, ReasonFilter, LaneFilter, WorkflowFilter, CreatedFilter)
    search_fields = ("instance_id",)
    search_help_text = "By instance ID, the beginning of a brief_id, or words of the title."
    ordering = ("-id",)
    actions = (
        "retry_selected",
        "resume_selected",
        "pause_selected",
        "restart_selected",
        "terminate_selected",
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Operators may use the verbs; the rows themselves are edited by nobody."""
        return bool(request.user.has_perm("workflows.change_instance"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Instance]:
        """Return instances with all that a list row shows, in one query."""
        rows = super().get_queryset(request).select_related("graph", "brief__lane")
        tried = Attempt.objects.filter(instance=OuterRef("pk")).order_by().values("instance")
        return rows.defer("brief__payload", "brief__embedding").annotate(
            title=KeyTextTransform("title", "brief__payload"),
            cost_micros=cost_of_brief("key"),
            failed=Coalesce(
                Subquery(tried.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0
            ),
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by ID, by the beginning of a brief_id, and by words of the title."""
        term = search_term.strip().replace("\x00", "")
        if not term:
            return queryset, False
        exact = queryset.filter(instance_id=term)
        if exact.exists():
            return exact, False
        return queryset.filter(brief__in=find_briefs(term)), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list under its own name: nothing is changed from here but by verbs."""
        return super().changelist_view(request, {"title": "Instances"} | (extra_context or {}))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Instance | None:
        """Find it by primary key or by its instance ID."""
        rows = self.get_queryset(request)
        if object_id.isascii() and object_id.isdigit() and len(object_id) < 19:
            return rows.filter(pk=object_id).first()
        return rows.filter(instance_id=object_id.replace("\x00", "")).first()

    def get_urls(self) -> list[URLPattern]:
        """Add the verbs' pages, the status for live pages, and the downloads."""
        view = self.admin_site.admin_view
        own = [
            path("<path:object_id>/status.json", view(self.status_view),
                 name="workflows_instance_status"),
            path("<path:object_id>/whole.json", view(self.whole_view),
                 name="workflows_instance_whole"),
            path("<path:object_id>/input.json", view(self.input_view),
                 name="workflows_instance_input"),
            path("<path:object_id>/output/<str:entry>.json", view(self.output_view),
                 name="workflows_instance_output"),
        ]  # fmt: skip
        return own + self.verb_urls() + super().get_urls()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the page of one run; nothing can be posted to it."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        instance = self.seen(request, object_id or "")
        timeline = read_timeline(instance)
        brief = getattr(instance, "brief", None)
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": getattr(instance, "title", None) or str(instance.instance_id),
            "opts": self.opts,
            "original": instance,
            "instance": instance,
            "brief": brief,
            "article": getattr(brief, "article", None) if brief else None,
            "lane_graph": graph_link(instance) if brief else "",
            "timeline": timeline,
            "outputs": {row.name: downloads.shown(row.output)
                        for row in timeline.rows if row.has_output},
            "events": read_events(instance),
            "input": downloads.shown(downloads.read_envelope(instance)),
            "failing": current_entry(instance),
            "stands": timeline.rows[instance.position]
                      if instance.position < len(timeline.rows) else None,
            "queued_for": instance.started_at and instance.started_at - instance.created_at,
            "is_live": instance.status not in ENDED,
            "version": _version(instance),
            "verbs": self.offered(request, instance),
        }  # fmt: skip
        return TemplateResponse(request, "admin/workflows/instance/page.html", context)

    def status_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer what a live page polls; 304 while nothing moved."""
        instance = self.seen(request, object_id)
        etag = quote_etag(_version(instance))
        if request.headers.get("If-None-Match") == etag:
            return HttpResponse(status=304, headers={"ETag": etag})
        return JsonResponse(
            {
                "status": instance_words(instance),
                "step": current_entry(instance),
                "ended": instance.status in ENDED,
                "version": _version(instance),
            },
            headers={"ETag": etag, "Cache-Control": "private, no-cache"},
        )

    def whole_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Download everything that is kept."""
        instance = self.seen(request, object_id)
        return _download(f"{instance.instance_id}.json", downloads.read_whole(instance))

    def input_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Download what the run was started with."""
        instance = self.seen(request, object_id)
        name = f"{instance.instance_id}-input.json"
        return _download(name, downloads.read_envelope(instance))

    def output_view(self, request: HttpRequest, object_id: str, entry: str) -> HttpResponse:
        """Download what one entry returned."""
        instance = self.seen(request, object_id)
        output = downloads.read_output(instance, entry)
        if output is None:
            raise Http404(f"{entry} has recorded nothing")
        return _download(f"{instance.instance_id}-{entry}.json", output)

    def seen(self, request: HttpRequest, object_id: str) -> Instance:
        """Return the instance, to whoever may look at it."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        instance = self.get_object(request, unquote(object_id))
        if instance is None:
            raise Http404(f"no instance is {object_id}")
        return instance

    @admin.display(description="status")
    def state(self, obj: Instance) -> SafeString:
        """Return its status."""
        return status_mark(obj)

    @admin.display(description="instance", ordering="instance_id")
    def id_link(self, obj: Instance) -> SafeString:
        """Return its ID, linked to its page."""
        url = reverse("admin:workflows_instance_change", args=[obj.pk])
        return format_html('<a class="mono" href="{}">{}</a>', url, obj.instance_id)

    @admin.display(description="title")
    def title(self, obj: Any) -> str:
        """Return the brief's title."""
        return obj.title or "–"

    @admin.display(description="lane", ordering="partition")
    def lane(self, obj: Instance) -> SafeString:
        """Return its lane, with the lane's rule."""
        brief = getattr(obj, "brief", None)
        if brief is None:
            return lane_mark(obj.partition, None)
        return lane_mark(brief.lane.title, brief.lane.hue)

    @admin.display(description="step")
    def step(self, obj: Instance) -> str:
        """Return where it stands."""
        return current_entry(obj)

    @admin.display(description="tries lost")
    def tries(self, obj: Any) -> str:
        """Return how many tries ended without a record."""
        return str(obj.failed or "–")

    @admin.display(description="age", ordering="-id")
    def age(self, obj: Instance) -> SafeString:
        """Return how long ago it was created."""
        return moment(obj.created_at)

    @admin.display(description="cost")
    def cost(self, obj: Any) -> str:
        """Return what its calls cost."""
        return money(obj.cost_micros)


def _version(instance: Instance) -> str:
    """Return what changes whenever the page would."""
    moved = (instance.generation, instance.position, instance.attempt, instance.fence,
             instance.inbox, int(instance.pause_requested))  # fmt: skip
    return "-".join(map(str, (instance.pk, instance.status, *moved)))


def _download(name: str, value: Any) -> HttpResponse:
    response = HttpResponse(downloads.indented(value), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
