"""The pages of one lane beside its form: what it is, two versions compared, a lane made of it."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from lanes.models import Lane
from publishing.admin.comparing import compare
from publishing.admin.graph_editor import GraphEditor
from publishing.admin.lane_copy import LaneCopyForm, copy_lane
from publishing.admin.lane_page import read_lane_page
from publishing.admin.preview_page import PreviewPages
from publishing.admin.version_kinds import KINDS, Kind, Part, parts_of, spine_parts
from workflows.errors import ContractError


class LanePages(GraphEditor, PreviewPages):
    """Views of one lane; who may see lanes sees them, who may change lanes acts."""

    admin_site: Any
    opts: Any
    has_view_or_change_permission: Any
    has_change_permission: Any
    has_add_permission: Any

    def lane_urls(self) -> list[URLPattern]:
        """Return the addresses of the lane's pages."""
        view = self.admin_site.admin_view
        pages = {
            "page": self.page_view,
            "copy": self.copy_view,
            "graph": self.graph_view,
            "spine": self.spine_view,
            "preview": self.preview_view,
            "preview.json": self.preview_bytes_view,
        }
        own = [
            path(f"<str:object_id>/{name}{'' if '.' in name else '/'}", view(function),
                 name=f"lanes_lane_{name.replace('.', '_')}")
            for name, function in pages.items()
        ]  # fmt: skip
        compared = path("<str:object_id>/compare/<str:kind>/", view(self.compare_view),
                        name="lanes_lane_compare")  # fmt: skip
        return [*own, compared]

    def page_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the lane as it stands."""
        lane = self.seen_lane(request, object_id)
        context = {"page": read_lane_page(lane, now=timezone.now()), "tab": "page"}
        return self.shown(request, lane, "page", str(lane), context)

    def compare_view(self, request: HttpRequest, object_id: str, kind: str) -> HttpResponse:
        """Show two versions side by side."""
        lane = self.seen_lane(request, object_id)
        if kind not in KINDS:
            raise Http404(f"a lane has no versions of {kind}")
        chosen = KINDS[kind]
        known = _choices(lane, chosen)
        newest = next(iter(known), 0)
        in_use = getattr(lane, kind)
        old = _number(request.GET.get("old"), known, in_use.version if in_use else newest)
        new = _number(request.GET.get("new"), known, newest)
        context = {
            "kind": chosen,
            "tab": "compare",
            "kinds": [(name, each.title) for name, each in KINDS.items()],
            "choices": known,
            "old": old,
            "new": new,
            "sections": compare(_parts(lane, chosen, old), _parts(lane, chosen, new)),
        }
        title = f"{chosen.title} of {lane.title}: {known.get(old, old)} and {known.get(new, new)}"
        return self.shown(request, lane, "compare", title, context)

    def copy_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make another lane of this one."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        lane = self.seen_lane(request, object_id)
        may_scope = request.user.has_perm("publishing.change_routine")
        form = LaneCopyForm(request.POST or None, origin=lane, may_scope=may_scope)
        if request.method == "POST" and form.is_valid():
            try:
                made = copy_lane(lane, form, author=request.user)
            except ContractError as error:
                form.add_error(None, f"{error}. Nothing was saved.")
            else:
                messages.success(request, f"{made.title} takes briefs from now on.")
                return HttpResponseRedirect(reverse("admin:lanes_lane_page", args=[made.pk]))
        context = {"form": form, "tab": "copy"}
        return self.shown(request, lane, "copy", f"Add a lane from {lane.title}", context)

    def seen_lane(self, request: HttpRequest, object_id: str) -> Lane:
        """Return the lane, to whoever may look at it."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        key = unquote(object_id)
        rows = Lane.objects.select_related("bundle__author", "options__author", "graph__author")
        lane = rows.filter(pk=key).first() if key.isascii() and key.isdigit() else None
        if lane is None:
            raise Http404(f"no lane is {object_id}")
        return lane

    def shown(
        self, request: HttpRequest, lane: Lane, name: str, title: str, context: dict[str, Any]
    ) -> HttpResponse:
        """Return a page of the lane, with what all of them need."""
        everywhere = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "lane": lane,
            "may_change": self.has_change_permission(request),
            "may_add": self.has_add_permission(request),
        }
        return TemplateResponse(request, f"admin/lanes/lane/{name}.html", everywhere | context)


def _choices(lane: Lane, kind: Kind) -> dict[int, str]:
    """Return the versions that can be compared, newest first; a graph has the spine beside them."""
    numbers = getattr(lane, kind.versions).order_by("-version").values_list("version", flat=True)
    in_use = getattr(lane, kind.name)
    now = in_use.version if in_use else 0
    known = {n: f"version {n}{', in use' if n == now else ''}" for n in numbers}
    return known | ({0: f"the spine{'' if now else ', in use'}"} if kind.name == "graph" else {})


def _number(given: str | None, known: Mapping[int, str], otherwise: int) -> int:
    number = int(given) if given and given.isascii() and given.isdigit() else otherwise
    if known and number not in known:
        raise Http404(f"there is no version {number}")
    return number


def _parts(lane: Lane, kind: Kind, number: int) -> list[Part]:
    if number == 0:
        return spine_parts() if kind.name == "graph" else []
    return parts_of(getattr(lane, kind.versions).get(version=number))
