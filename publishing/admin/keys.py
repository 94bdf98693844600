"""Routines and their keys: a key is shown once, when it is made, and revoked, never deleted."""

from typing import Any

from django.contrib import admin, messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_variables

from publishing.admin.base import HouseAdmin, ReadOnlyAdmin
from publishing.admin.marks import moment
from publishing.keys import KeyMadeError, draw_prefix, make_key, revoke_key
from publishing.models import Routine, RoutineKey

_FORM_SALT = "publishing.make-key"
_FORM_LASTS_SECONDS = 86_400


@admin.register(Routine)
class RoutineAdmin(HouseAdmin[Routine]):
    """Agents that post briefs, the lanes that they may post to, and their keys."""

    change_form_template = "admin/publishing/routine/form.html"
    list_display = ("name", "may_post_to", "live_keys", "rate", "since")
    search_fields = ("name",)
    filter_horizontal = ()
    fields = ("name", "lanes", "rate_per_minute")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Routine]:
        """Return routines with their lanes and number of live keys."""
        live = Count("keys", filter=Q(keys__revoked_at=None))
        return super().get_queryset(request).prefetch_related("lanes").annotate(live=live)

    def get_urls(self) -> list[URLPattern]:
        """Add the page that makes a key."""
        make = path(
            "<int:routine>/make-key/",
            self.admin_site.admin_view(self.make_key_view),
            name="publishing_routine_make_key",
        )
        return [make, *super().get_urls()]

    @sensitive_variables("key")
    def make_key_view(self, request: HttpRequest, routine: int) -> HttpResponseBase:
        """Make a key on POST and show it, this once; a form makes one key, however often sent."""
        if not request.user.has_perm("publishing.add_routinekey"):
            raise PermissionDenied
        row = Routine.objects.filter(pk=routine).first()
        if row is None:
            raise Http404(f"no routine is {routine}")
        key = None
        if request.method == "POST":
            try:
                key = make_key(row, prefix=_drawn(request.POST.get("form", ""), row))
            except (KeyMadeError, signing.BadSignature):
                messages.warning(
                    request,
                    "No key was made: that form was used before, or is too old. "
                    "A key that was lost is revoked here, and another is made.",
                )
                page = reverse("admin:publishing_routine_change", args=[row.pk])
                return HttpResponseRedirect(page)
        context = {
            **self.admin_site.each_context(request),
            "title": f"A key for {row}",
            "opts": self.opts,
            "routine": row,
            "lanes": row.lanes.all(),
            "key": key,
            "form": signing.dumps([row.pk, draw_prefix()], salt=_FORM_SALT),
            "address": request.build_absolute_uri("/api/admin/publish"),
        }
        response = TemplateResponse(request, "admin/publishing/routine/key.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Routines stay with their briefs; revoke the keys instead."""
        return False

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
                           ) -> HttpResponse:  # fmt: skip
        """Show the routine's keys under the form."""
        routine = kwargs.get("obj")
        context |= {
            "keys": list(routine.keys.all()) if routine else [],
            "may_make_key": request.user.has_perm("publishing.add_routinekey"),
            "may_revoke": request.user.has_perm("publishing.change_routinekey"),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="may post to")
    def may_post_to(self, obj: Routine) -> str:
        """Return its lanes."""
        return ", ".join(lane.name for lane in obj.lanes.all()) or "no lane yet"

    @admin.display(description="live keys")
    def live_keys(self, obj: Any) -> int:
        """Return how many keys work."""
        return int(obj.live)

    @admin.display(description="rate")
    def rate(self, obj: Routine) -> str:
        """Return its limit."""
        return f"{obj.rate_per_minute} a minute" if obj.rate_per_minute is not None else "no limit"

    @admin.display(description="since", ordering="created_at")
    def since(self, obj: Routine) -> SafeString:
        """Return when it was added."""
        return moment(obj.created_at)


@admin.register(RoutineKey)
class RoutineKeyAdmin(ReadOnlyAdmin[RoutineKey]):
    """All keys: the prefix that may be seen, when it was used, whether it still works."""

    list_display = ("prefix", "routine", "state", "made", "used")
    list_filter = ("routine", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("routine",)
    search_fields = ("prefix", "routine__name")
    fields = ("prefix", "routine", "state", "made", "used")
    readonly_fields = ("state", "made", "used")
    change_form_template = "admin/publishing/routinekey/page.html"

    def get_urls(self) -> list[URLPattern]:
        """Add the page that revokes a key."""
        revoke = path(
            "<int:key>/revoke/",
            self.admin_site.admin_view(self.revoke_view),
            name="publishing_routinekey_revoke",
        )
        return [revoke, *super().get_urls()]

    def revoke_view(self, request: HttpRequest, key: int) -> HttpResponseBase:
        """Say what revoking does; revoke on POST."""
        if not request.user.has_perm("publishing.change_routinekey"):
            raise PermissionDenied
        row = RoutineKey.objects.select_related("routine").filter(pk=key).first()
        if row is None:
            raise Http404(f"no key is {key}")
        page = reverse("admin:publishing_routine_change", args=[row.routine_id])
        if request.method == "POST":
            if revoke_key(row):
                messages.success(request, f"{row.prefix}… is revoked: it opens nothing any more.")
            else:
                messages.warning(request, f"{row.prefix}… was revoked before; nothing changed.")
            return HttpResponseRedirect(page)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Revoke {row.prefix}…?",
            "opts": self.opts,
            "key": row,
            "page": page,
        }
        return TemplateResponse(request, "admin/publishing/routinekey/revoke.html", context)

    @admin.display(description="state")
    def state(self, obj: RoutineKey) -> str:
        """Return whether it works."""
        return f"revoked {obj.revoked_at:%Y-%m-%d %H:%M} UTC" if obj.revoked_at else "works"

    @admin.display(description="made", ordering="created_at")
    def made(self, obj: RoutineKey) -> SafeString:
        """Return when it was made."""
        return moment(obj.created_at)

    @admin.display(description="last used", ordering="last_used_at")
    def used(self, obj: RoutineKey) -> SafeString:
        """Return when it was last used."""
        return moment(obj.last_used_at)


def _drawn(form: str, routine: Routine) -> str:
    """Return the prefix that the form was given; the unique prefix makes the form work once."""
    pk, prefix = signing.loads(form, salt=_FORM_SALT, max_age=_FORM_LASTS_SECONDS)
    if pk != routine.pk:
        raise signing.BadSignature(f"the form is of routine {pk}")
    return str(prefix)
