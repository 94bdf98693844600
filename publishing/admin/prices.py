"""Prices of models: what holds, what held, and the forms that add the next version."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from publishing.admin.base import ReadOnlyAdmin
from publishing.admin.marks import moment, shape_mark
from publishing.admin.price_form import PriceForm, rates_of
from publishing.ledger.repricing import (
    PriceError,
    StrangePriceError,
    end_price,
    save_price,
    versions_of,
)
from publishing.models import Price

_SHAPES = {"holds": "✓", "ended": "■", "to come": "○"}
_KINDS = {"holds": "complete", "ended": "terminated", "to come": "not-begun"}


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin[Price]):
    """Rates by model; a row is ended and followed, never edited or deleted."""

    change_list_template = "admin/publishing/price/list.html"
    change_form_template = "admin/publishing/price/page.html"
    list_display = ("model", "for_what", "rates", "version", "state", "since", "until")
    list_filter = ("kind", ("valid_until", admin.EmptyFieldListFilter))
    search_fields = ("model", "source")
    ordering = ("kind", "model", "above", "size", "quality", "-version")
    fields = ("model", "kind", "for_what", "rates", "batch", "version", "state", "since", "until",
              "source", "author")  # fmt: skip
    readonly_fields = ("for_what", "rates", "batch", "state", "since", "until")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever may add a price may also change and end one: each is a row that is added."""
        return _may_edit(request)

    def get_urls(self) -> list[URLPattern]:
        """Add the pages that change a price and end one."""
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/next/", view(self.next_view), name="publishing_price_next"),
            path("<int:pk>/end/", view(self.end_view), name="publishing_price_end"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Offer to add one."""
        return super().changelist_view(
            request, {"title": "Prices", "may_add": _may_edit(request), "kinds": Price.Kind.choices}
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one version, with all others of the same price and what may be done."""
        price = self.get_object(request, object_id)
        shown: dict[str, Any] = {}
        if price:
            versions = list(versions_of(price).order_by("-version"))
            shown = {
                "versions": [(row, rates_of(row), self.state(row)) for row in versions],
                "may_edit": _may_edit(request),
                "is_last": versions[0].pk == price.pk,
                "is_open": price.valid_until is None,
            }
        return super().change_view(request, object_id, form_url, shown)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Add the first version of a price."""
        return self._edit(request, None)

    def next_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End the version that holds and add the next one."""
        return self._edit(request, self._find(pk))

    def end_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Say what ending a price does; end it on POST."""
        _refuse_others(request)
        price = self._find(pk)
        page = reverse("admin:publishing_price_change", args=[pk])
        if request.method == "POST":
            try:
                end_price(price)
            except PriceError as error:
                messages.error(request, str(error))
            else:
                self.log_change(request, price, "Ended without a successor.")
                messages.success(request, f"{price} has ended: what it was for is refused.")
            return HttpResponseRedirect(page)
        context = self._context(request, f"End {price}?") | {"price": price, "page": page}
        return TemplateResponse(request, "admin/publishing/price/end.html", context)

    def _edit(self, request: HttpRequest, price: Price | None) -> HttpResponse:
        _refuse_others(request)
        kind = request.GET.get("kind", "")
        form = PriceForm(request.POST or None, price=price, kind=kind)
        doubt = ""
        if request.method == "POST" and form.is_valid():
            try:
                saved = save_price(form.to_price(request.user.get_username()))
            except StrangePriceError as error:
                doubt = str(error)
            except PriceError as error:
                form.add_error(None, str(error))
            else:
                self.log_addition(request, saved, [{"added": {}}])
                messages.success(request, f"{saved} is saved; every worker has it within seconds.")
                page = reverse("admin:publishing_price_change", args=[saved.pk])
                return HttpResponseRedirect(page)
        title = f"The next version of {price.model}" if price else "Price a model"
        context = self._context(request, title) | {
            "form": form, "price": price, "doubt": doubt, "kind": kind or Price.Kind.TEXT.value,
            "kinds": Price.Kind.choices,
        }  # fmt: skip
        return TemplateResponse(request, "admin/publishing/price/form.html", context)

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts}

    def _find(self, pk: int) -> Price:
        price = Price.objects.filter(pk=pk).first()
        if price is None:
            raise Http404(f"no price is {pk}")
        return price

    @admin.display(description="for", ordering="above")
    def for_what(self, obj: Price) -> str:
        """Return what of the model it is the price of."""
        if obj.size:
            return f"an image of {obj.size}, {obj.quality}".rstrip(", ")
        if obj.above:
            return f"prompts above {obj.above:,} tokens"
        return "every prompt" if obj.kind == Price.Kind.TEXT else "every text"

    @admin.display(description="US dollars per million tokens, or an image")
    def rates(self, obj: Price) -> str:
        """Return its rates."""
        return " · ".join(f"{label.lower()} {rate}" for label, rate in rates_of(obj))

    @admin.display(description="a batch pays")
    def batch(self, obj: Price) -> str:
        """Return its part."""
        return f"{obj.batch_percent} percent"

    @admin.display(description="state")
    def state(self, obj: Price) -> SafeString:
        """Return whether it holds."""
        now = timezone.now()
        if obj.valid_until and obj.valid_until <= now:
            word = "ended"
        else:
            word = "holds" if obj.valid_from <= now else "to come"
        return shape_mark(word, kind=_KINDS[word], shape=_SHAPES[word])

    @admin.display(description="from", ordering="valid_from")
    def since(self, obj: Price) -> SafeString:
        """Return when it began."""
        return moment(obj.valid_from)

    @admin.display(description="until", ordering="valid_until")
    def until(self, obj: Price) -> SafeString:
        """Return when it ended."""
        return moment(obj.valid_until)


def _may_edit(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("publishing.add_price"))


def _refuse_others(request: HttpRequest) -> None:
    if not _may_edit(request):
        raise PermissionDenied
