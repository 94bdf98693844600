"""Bulk operations: how far each is, what it refused, and the button that stops it."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    JsonResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import quote_etag
from django.utils.safestring import SafeString

from publishing.admin.base import ReadOnlyAdmin
from publishing.admin.marks import moment, word_mark
from workflows.bulk import REFUSALS_KEPT, WORKFLOW, stop_bulk
from workflows.models import BulkOperation, Instance

GOING = BulkOperation.State.GOING


@admin.register(BulkOperation)
class BulkOperationAdmin(ReadOnlyAdmin[BulkOperation]):
    """Orders that workers apply in the background; whoever may use a verb may stop one."""

    list_display = ("what", "state_shown", "progress", "refusals_shown", "actor", "why", "ordered")
    list_display_links = ("what",)
    list_filter = ("state", "verb")
    ordering = ("-id",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may order one sees them all."""
        return super().has_view_permission(request, obj) or _may_stop(request)

    def get_urls(self) -> list[URLPattern]:
        """Add the page that stops one, and the status for the live page."""
        view = self.admin_site.admin_view
        own = [
            path("<path:object_id>/status.json", view(self.status_view),
                 name="workflows_bulkoperation_status"),
            path("<path:object_id>/stop/", view(self.stop_view),
                 name="workflows_bulkoperation_stop"),
        ]  # fmt: skip
        return own + super().get_urls()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the history under its own name."""
        return super().changelist_view(
            request, {"title": "Bulk operations"} | (extra_context or {})
        )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one; nothing can be posted to its page."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        operation = self._seen(request, object_id or "")
        run = Instance.objects.filter(workflow=WORKFLOW, key=str(operation.pk)).first()
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": what_is_done(operation),
            "opts": self.opts,
            "operation": operation,
            "seen": _seen_number(operation),
            "filter": filter_words(operation),
            "refusals_kept": REFUSALS_KEPT,
            "run": run,
            "is_live": operation.state == GOING,
            "may_stop": operation.state == GOING and _may_stop(request),
            "version": _version(operation),
        }
        return TemplateResponse(request, "admin/workflows/bulkoperation/page.html", context)

    def stop_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Say what stopping does; stop on POST."""
        if not _may_stop(request):
            raise PermissionDenied
        operation = self._seen(request, object_id)
        page = reverse("admin:workflows_bulkoperation_change", args=[operation.pk])
        if request.method == "POST":
            if stop_bulk(operation.pk):
                messages.success(
                    request, "Stopped. What was done stays done; nothing more follows."
                )
            else:
                messages.info(request, "It had ended already; nothing changed.")
            return HttpResponseRedirect(page)
        context = {
            **self.admin_site.each_context(request),
            "title": "Stop this bulk operation?",
            "opts": self.opts,
            "operation": operation,
            "what": what_is_done(operation),
            "seen": _seen_number(operation),
            "page": page,
        }
        return TemplateResponse(request, "admin/workflows/bulkoperation/stop.html", context)

    def status_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer what a live page polls; 304 while nothing moved."""
        operation = self._seen(request, object_id)
        etag = quote_etag(_version(operation))
        if request.headers.get("If-None-Match") == etag:
            return HttpResponse(status=304, headers={"ETag": etag})
        return JsonResponse(
            {"version": _version(operation), "ended": operation.state != GOING},
            headers={"ETag": etag, "Cache-Control": "private, no-cache"},
        )

    @admin.display(description="what")
    def what(self, obj: BulkOperation) -> str:
        """Return what it does to how many."""
        return what_is_done(obj)

    @admin.display(description="state", ordering="state")
    def state_shown(self, obj: BulkOperation) -> SafeString:
        """Return how far it is, in a word."""
        return word_mark(obj.state)

    @admin.display(description="progress")
    def progress(self, obj: BulkOperation) -> SafeString:
        """Return how many it has seen."""
        return format_html('<span class="num">{} of {}</span>', _seen_number(obj), obj.total)

    @admin.display(description="refused")
    def refusals_shown(self, obj: BulkOperation) -> str:
        """Return how many refused it."""
        return str(obj.refused or "–")

    @admin.display(description="ordered", ordering="-id")
    def ordered(self, obj: BulkOperation) -> SafeString:
        """Return when it was ordered."""
        return moment(obj.created_at)

    def _seen(self, request: HttpRequest, object_id: str) -> BulkOperation:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        operation = self.get_object(request, unquote(object_id))
        if operation is None:
            raise Http404(f"no bulk operation is {object_id}")
        return operation


def what_is_done(operation: BulkOperation) -> str:
    """Return the order in words, such as `Restart from ground, for 12 instances`."""
    asked = operation.parameters
    verb = operation.verb.replace("-", " ").capitalize()
    more = f" from {asked['entry']}" if asked.get("entry") else ""
    more += f" {asked['event']}" if asked.get("event") else ""
    return f"{verb}{more}, for {operation.total} instance{'' if operation.total == 1 else 's'}"


def filter_words(operation: BulkOperation) -> list[tuple[str, str]]:
    """Return what its filter says, by name; IDs are cut after the first few."""
    told = []
    for name, value in operation.filter.items():
        words = list(map(str, value)) if isinstance(value, list) else [str(value)]
        more = f" and {len(words) - 5} more" if len(words) > 5 else ""
        told.append((name.replace("_", " "), ", ".join(words[:5]) + more))
    return told


def _seen_number(operation: BulkOperation) -> int:
    return operation.done + operation.unchanged + operation.refused


def _version(operation: BulkOperation) -> str:
    return f"{operation.pk}-{operation.state}-{operation.cursor}-{_seen_number(operation)}"


def _may_stop(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("workflows.change_instance"))
