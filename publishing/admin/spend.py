"""Money: the calls that were paid for, and the caps that hold before one is."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, Sum
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from lanes.models import Lane
from publishing.admin.base import HouseAdmin, ReadOnlyAdmin
from publishing.admin.downloads import shown
from publishing.admin.marks import moment, money
from publishing.ledger.costs import COST
from publishing.models import BlockedModel, Call, Cap

SCOPES = (
    ("call", "one call"),
    ("step", "one stage of a brief"),
    ("brief", "one brief"),
    ("lane-day", "a lane, a day (UTC)"),
    ("day", "everything, a day (UTC)"),
)
MICROS = 1_000_000

if TYPE_CHECKING:
    _CapModelForm = forms.ModelForm[Cap]
else:
    _CapModelForm = forms.ModelForm


@admin.register(Call)
class CallAdmin(ReadOnlyAdmin[Call]):
    """The ledger; what it says is what was paid."""

    change_list_template = "admin/publishing/call/list.html"
    list_display = ("key", "state", "lane", "model", "held", "cost", "served", "at")
    list_filter = ("state", "lane", "entry", "model")
    ordering = ("-id",)
    search_fields = ("=brief_id", "key")
    search_help_text = "By brief_id or key."
    fields = ("key", "state", "brief_id", "lane", "entry", "model", "held", "cost",
              "price_version", "usage_shown", "answer_shown", "request_id", "outcome", "served",
              "at", "closed")  # fmt: skip
    readonly_fields = ("held", "cost", "usage_shown", "answer_shown", "at", "closed")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Add the sums of what is listed."""
        response = super().changelist_view(request, extra_context)
        listed = getattr(response, "context_data", {}).get("cl")
        if isinstance(listed, ChangeList):
            response.context_data["sums"] = listed.queryset.order_by().aggregate(  # type: ignore[attr-defined]
                cost=Sum(COST), held=Sum("held_micros", filter=Q(state=Call.State.HELD))
            )
        return response

    @admin.display(description="held", ordering="held_micros")
    def held(self, obj: Call) -> str:
        """Return the worst case that was reserved."""
        return money(obj.held_micros)

    @admin.display(description="cost", ordering="cost_micros")
    def cost(self, obj: Call) -> str:
        """Return what it cost."""
        if obj.state == Call.State.UNKNOWN:
            lost = obj.held_micros if obj.cost_micros is None else obj.cost_micros
            return f"{money(lost)} (answer lost)"
        return money(obj.cost_micros) if obj.state == Call.State.SETTLED else "–"

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


class CapForm(_CapModelForm):
    """A cap in dollars; it is kept in micro-dollars."""

    scope = forms.ChoiceField(choices=SCOPES)
    name = forms.ModelChoiceField(
        Lane.objects.order_by("place"),
        to_field_name="name",
        label="Lane",
        required=False,
        empty_label="all",
        help_text="A lane's own cap may only be lower than the one for all.",
    )
    dollars = forms.DecimalField(
        label="At most, in US dollars",
        min_value=0,
        max_value=1_000_000,
        decimal_places=6,
        help_text="It holds before the next call; what is paid for stays paid.",
    )

    class Meta:
        model = Cap
        fields = ("scope", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["dollars"] = Decimal(self.instance.cap_micros) / MICROS

    def clean(self) -> dict[str, Any]:
        """Write the dollars to the row as micro-dollars."""
        cleaned = super().clean() or {}
        scope, lane = cleaned.get("scope"), cleaned.get("name")
        cleaned["name"] = lane.name if lane else ""
        same = Cap.objects.filter(scope=scope, name=cleaned["name"])
        if same.exclude(pk=self.instance.pk).exists():
            self.add_error("scope", "There is a cap of this scope already; change that one.")
        if lane and scope == Cap.Scope.DAY:
            self.add_error("name", "Everything has one cap; a lane's is of the scope lane and day.")
        if "dollars" in cleaned:
            self.instance.cap_micros = int(cleaned["dollars"] * MICROS)
        return cleaned


@admin.register(Cap)
class CapAdmin(HouseAdmin[Cap]):
    """Limits on spending; each holds before the call."""

    form = CapForm
    list_display = ("limits", "most")
    ordering = ("scope",)

    @admin.display(description="limits", ordering="scope")
    def limits(self, obj: Cap) -> str:
        """Return what it limits."""
        words = dict(SCOPES).get(obj.scope, obj.scope)
        return f"{words}, in {obj.name}" if obj.name else words

    @admin.display(description="at most", ordering="cap_micros")
    def most(self, obj: Cap) -> str:
        """Return it in dollars."""
        return money(obj.cap_micros)


@admin.register(BlockedModel)
class BlockedModelAdmin(ReadOnlyAdmin[BlockedModel]):
    """Models that billed more than was held; deleting a row lets calls through again."""

    list_display = ("model", "call", "since")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """An operator who knows why it billed more clears the model."""
        return bool(request.user.has_perm("publishing.delete_blockedmodel"))
