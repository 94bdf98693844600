"""Caps in dollars, lanes' own among them."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from lanes.models import Lane
from publishing.admin.base import HouseAdmin
from publishing.admin.marks import money
from publishing.models import Cap

SCOPES = (
    (Cap.Scope.CALL.value, "one call"),
    (Cap.Scope.STEP.value, "one step of a brief"),
    (Cap.Scope.BRIEF.value, "one brief"),
    (Cap.Scope.LANE_DAY.value, "a lane, a day (UTC)"),
    (Cap.Scope.DAY.value, "everything, a day (UTC)"),
)
MICROS = 1_000_000

if TYPE_CHECKING:
    _CapModelForm = forms.ModelForm[Cap]
else:
    _CapModelForm = forms.ModelForm


class CapForm(_CapModelForm):
    """A cap in dollars; it is kept in micro-dollars."""

    scope = forms.ChoiceField(choices=SCOPES)
    name = forms.ChoiceField(
        label="Lane", required=False, help_text="A lane's own cap is lower than that of all."
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
        lanes = Lane.objects.order_by("place", "name").values_list("name", "title")
        kept = [(self.instance.name, self.instance.name)] if self.instance.name else []
        if "name" in self.fields:
            field: Any = self.fields["name"]
            field.choices = [("", "all lanes"), *dict([*kept, *lanes]).items()]
        if self.instance.pk:
            self.initial["dollars"] = Decimal(self.instance.cap_micros) / MICROS

    def clean(self) -> dict[str, Any]:
        """Write the dollars to the row as micro-dollars; a lane's own is below that of all."""
        cleaned = super().clean() or {}
        scope, name = (
            cleaned.get(part, getattr(self.instance, part)) for part in ("scope", "name")
        )
        if name and scope == Cap.Scope.DAY:
            self.add_error("name", "This cap is one for all lanes; a lane has a day of its own.")
        if Cap.objects.filter(scope=scope, name=name).exclude(pk=self.instance.pk).exists():
            self.add_error("scope", "There is a cap of this scope already; change that one.")
        if "dollars" in cleaned:
            self.instance.cap_micros = int(cleaned["dollars"] * MICROS)
            self._refuse_higher(scope, name)
        return cleaned

    def _refuse_higher(self, scope: str, name: str) -> None:
        general = Cap.objects.filter(scope=scope, name="").first()
        if name and general and self.instance.cap_micros > general.cap_micros:
            most = money(general.cap_micros)
            self.add_error("dollars", f"A lane's own cap may only be lower; all lanes have {most}.")


@admin.register(Cap)
class CapAdmin(HouseAdmin[Cap]):
    """Limits on spending; each holds before the call."""

    form = CapForm
    change_list_template = "admin/publishing/cap/list.html"
    list_display = ("limits", "lane", "most")
    ordering = ("scope", "name")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show them under their own name."""
        return super().changelist_view(request, {"title": "Caps"} | (extra_context or {}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep what it limits; another limit is another cap."""
        return ("scope", "name") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let a lane's own cap go; without that of all, nothing could be paid for."""
        return super().has_delete_permission(request, obj) and bool(obj is None or obj.name)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer none: the caps of all lanes would go with the rest."""
        return {}

    @admin.display(description="limits", ordering="scope")
    def limits(self, obj: Cap) -> str:
        """Return what it limits."""
        return dict(SCOPES).get(obj.scope, obj.scope)

    @admin.display(description="lane", ordering="name")
    def lane(self, obj: Cap) -> str:
        """Return whose it is."""
        return obj.name or "all"

    @admin.display(description="at most", ordering="cap_micros")
    def most(self, obj: Cap) -> str:
        """Return it in dollars."""
        return money(obj.cap_micros)
