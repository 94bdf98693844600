"""Money that was spent: the overview of sums and caps, and the calls that were paid for."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Q, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from publishing.admin.base import ReadOnlyAdmin
from publishing.admin.downloads import shown
from publishing.admin.marks import moment, money
from publishing.admin.spend_page import read_page
from publishing.ledger.costs import COST
from publishing.ledger.spend import cost_of_call
from publishing.ledger.tokens import tokens_of
from publishing.models import Brief, Call


@admin.register(Call)
class CallAdmin(ReadOnlyAdmin[Call]):
    """The ledger; what it says is what was paid."""

    change_list_template = "admin/publishing/call/list.html"
    list_display = ("key", "state", "lane", "model", "held", "cost", "tokens", "served", "at")
    list_filter = ("state", "lane", "entry", "model", "provider")
    ordering = ("-id",)
    search_fields = ("=brief_id", "key")
    search_help_text = "By brief_id or key."
    fields = ("key", "state", "run", "lane", "entry", "bundle", "provider", "model", "held",
              "cost", "paid", "tokens", "price_version", "usage_shown", "answer_shown",
              "request_id", "batch", "outcome", "served", "at", "closed")  # fmt: skip
    readonly_fields = (
        "run",
        "held",
        "cost",
        "paid",
        "tokens",
        "usage_shown",
        "answer_shown",
        "at",
        "closed",
    )

    def get_urls(self) -> list[URLPattern]:
        """Add the overview."""
        view = self.admin_site.admin_view(self.spend_view)
        return [path("spend/", view, name="publishing_call_spend"), *super().get_urls()]

    def spend_view(self, request: HttpRequest) -> HttpResponse:
        """Show what was spent in a span, by everything that it is summed by, and the caps."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Spend",
            "opts": self.opts,
            "page": read_page(request.GET, now=timezone.now()),
        }
        return TemplateResponse(request, "admin/publishing/call/spend.html", context)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Add the sums of what is listed."""
        response = super().changelist_view(request, {"title": "Calls"} | (extra_context or {}))
        listed = getattr(response, "context_data", {}).get("cl")
        if isinstance(listed, ChangeList):
            response.context_data["sums"] = listed.queryset.order_by().aggregate(  # type: ignore[attr-defined]
                cost=Sum(COST), held=Sum("held_micros", filter=Q(state=Call.State.HELD))
            )
        return response

    @admin.display(description="brief")
    def run(self, obj: Call) -> SafeString:
        """Return the brief's ID, linked to its instance."""
        found = Brief.objects.filter(brief_id=obj.brief_id).values_list("instance_id", flat=True)
        if not found:
            return format_html('<span class="mono">{}</span>', obj.brief_id)
        url = reverse("admin:workflows_instance_change", args=[found[0]])
        return format_html('<a class="mono" href="{}">{}</a>', url, obj.brief_id)

    @admin.display(description="held", ordering="held_micros")
    def held(self, obj: Call) -> str:
        """Return the worst case that was reserved."""
        return money(obj.held_micros)

    @admin.display(description="cost", ordering="cost_micros")
    def cost(self, obj: Call) -> str:
        """Return what it cost."""
        if obj.state == Call.State.UNKNOWN:
            return f"{money(cost_of_call(obj))} (answer lost)"
        return money(cost_of_call(obj)) if obj.state == Call.State.SETTLED else "–"

    @admin.display(description="tokens in · cached · out")
    def tokens(self, obj: Call) -> str:
        """Return what the vendor counted."""
        if not obj.usage:
            return "–"
        return " · ".join(f"{count:,}" for count in tokens_of(obj.usage).values())

    @admin.display(description="memo or paid")
    def paid(self, obj: Call) -> str:
        """Return whether it was paid for, and how often its answer was served since."""
        if obj.state == Call.State.RELEASED:
            return "not paid: it was never sent, or refused before any work"
        if obj.state == Call.State.HELD:
            return "not known yet: it is open"
        times = "" if obj.served == 1 else "s"
        return f"paid once; served from the memo {obj.served:,} time{times} since, for nothing"

    @admin.display(description="made", ordering="-id")
    def at(self, obj: Call) -> SafeString:
        """Return when it was reserved."""
        return moment(obj.created_at)

    @admin.display(description="closed")
    def closed(self, obj: Call) -> SafeString:
        """Return when it was settled or given up."""
        return moment(obj.closed_at)

    @admin.display(description="usage")
    def usage_shown(self, obj: Call) -> SafeString:
        """Return the usage as JSON."""
        return format_html('<pre class="json" tabindex="0">{}</pre>', shown(obj.usage)["text"])

    @admin.display(description="answer")
    def answer_shown(self, obj: Call) -> SafeString:
        """Return the stored answer as JSON."""
        return format_html('<pre class="json" tabindex="0">{}</pre>', shown(obj.answer)["text"])
