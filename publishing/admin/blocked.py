"""Blocked models: why each is, who waits for it, and the verb that clears it."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from publishing.admin.base import ReadOnlyAdmin
from publishing.admin.marks import moment, money
from publishing.admin.verb_forms import WhyForm
from publishing.ledger.blocks import Cleared, clear_block, waiting_for_model
from publishing.models import BlockedModel, ClearedBlock, Price
from workflows.errors import VerbRefusedError

_CLEARED_SHOWN = 10


@admin.register(BlockedModel)
class BlockedModelAdmin(ReadOnlyAdmin[BlockedModel]):
    """Models that billed more than was held; clearing one lets calls to it go on."""

    change_list_template = "admin/publishing/blockedmodel/list.html"
    list_display = ("model", "billed", "held", "waiting", "blocked")
    list_display_links = ("model",)
    ordering = ("since",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[BlockedModel]:
        """Return them with the calls that blocked them."""
        return super().get_queryset(request).select_related("call").defer("call__answer")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may clear one sees them."""
        return super().has_view_permission(request, obj) or _may_clear(request)

    def get_urls(self) -> list[URLPattern]:
        """Add the page that clears one."""
        view = self.admin_site.admin_view(self.clear_view)
        own = path("<path:object_id>/clear/", view, name="publishing_blockedmodel_clear")
        return [own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Add what was cleared lately."""
        cleared = ClearedBlock.objects.order_by("-pk")[:_CLEARED_SHOWN]
        return super().changelist_view(request, {"cleared": cleared, "title": "Blocked models"})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Say why it is blocked; nothing can be posted to its page."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        block = self._find(request, object_id or "")
        if block is None:
            return self._gone(request)
        context = self._context(request, block, f"{block.model} is blocked")
        return TemplateResponse(request, "admin/publishing/blockedmodel/page.html", context)

    def clear_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say what clearing does; clear on POST."""
        if not _may_clear(request):
            raise PermissionDenied
        block = self._find(request, object_id)
        if block is None:
            return self._gone(request)
        form = WhyForm(request.POST if request.method == "POST" else None)
        form.fields["why"].required = True
        if form.is_valid():
            return self._clear(request, block.model, form.cleaned_data["why"])
        context = self._context(request, block, f"Clear {block.model}?") | {"form": form}
        return TemplateResponse(request, "admin/publishing/blockedmodel/clear.html", context)

    @admin.display(description="billed")
    def billed(self, obj: BlockedModel) -> str:
        """Return what the call cost."""
        return money(obj.call.cost_micros)

    @admin.display(description="held")
    def held(self, obj: BlockedModel) -> str:
        """Return what was held for it."""
        return money(obj.call.held_micros)

    @admin.display(description="instances that wait")
    def waiting(self, obj: BlockedModel) -> int:
        """Return how many wait for it to be cleared."""
        return waiting_for_model(obj.model).count()

    @admin.display(description="since", ordering="since")
    def blocked(self, obj: BlockedModel) -> SafeString:
        """Return when it was blocked."""
        return moment(obj.since)

    def _clear(self, request: HttpRequest, model: str, why: str) -> HttpResponse:
        try:
            cleared = clear_block(model, actor=request.user.get_username(), why=why)
        except VerbRefusedError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _told(cleared))
        return HttpResponseRedirect(_list_url())

    def _find(self, request: HttpRequest, object_id: str) -> BlockedModel | None:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.get_object(request, unquote(object_id))

    def _gone(self, request: HttpRequest) -> HttpResponse:
        """Lead to the list: what is not blocked was cleared, by somebody else most likely."""
        messages.info(request, "It is blocked no more; what was cleared is listed below.")
        return HttpResponseRedirect(_list_url())

    def _context(self, request: HttpRequest, block: BlockedModel, title: str) -> dict[str, Any]:
        waiting = waiting_for_model(block.model)
        prices = Price.objects.filter(model=block.model, valid_until=None)
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "blocked": block,
            "call": block.call,
            "above_micros": (block.call.cost_micros or 0) - block.call.held_micros,
            "prices": prices.order_by("above", "size", "quality"),
            "waiting": waiting.count(),
            "oldest": waiting.select_related("graph")[:5],
            "may_clear": _may_clear(request),
        }


def _told(cleared: Cleared) -> str:
    woken = f"{cleared.woken} instance{'' if cleared.woken == 1 else 's'} that waited for it"
    then = f"; {cleared.to_follow} more follow within seconds" if cleared.to_follow else ""
    goes = "goes" if cleared.woken == 1 else "go"
    return f"{cleared.block.model} is cleared: {woken} {goes} on{then}."


def _may_clear(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("publishing.delete_blockedmodel"))


def _list_url() -> str:
    return reverse("admin:publishing_blockedmodel_changelist")
