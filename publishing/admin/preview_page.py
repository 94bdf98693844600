"""The preview of a brief's text request under a bundle version; nothing is sent."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse

from lanes.models import Bundle, Lane
from publishing.admin.downloads import indented
from publishing.models import Brief
from publishing.previews import Preview, preview_request
from workflows.errors import ContractError, NonRetryableError

_BRIEFS = 20  # of the lane, and as many of others


class PreviewForm(forms.Form):
    """Which brief, under which version."""

    brief = forms.ChoiceField()
    bundle = forms.TypedChoiceField(coerce=int)

    def __init__(self, data: Any, *, lane: Lane) -> None:
        super().__init__(data)
        self._offer("brief", _briefs(lane))
        self._offer("bundle", _bundles(lane))

    def _offer(self, name: str, choices: list[tuple[Any, Any]]) -> None:
        field: Any = self.fields[name]
        field.choices = choices


class PreviewPages:
    """The preview's page, and its bytes."""

    seen_lane: Any
    shown: Any

    def preview_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the request that generate would send."""
        lane: Lane = self.seen_lane(request, object_id)
        form = _form(request, lane)
        context: dict[str, Any] = {"form": form, "tab": "preview"}
        if form.is_bound and form.is_valid():
            context |= _read(lane, form)
        title = f"What {lane.title} would ask for"
        response: HttpResponse = self.shown(request, lane, "preview", title, context)
        return response

    def preview_bytes_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Download the request's body, byte for byte."""
        lane: Lane = self.seen_lane(request, object_id)
        form = _form(request, lane)
        if not form.is_bound or not form.is_valid():
            raise Http404("no such brief or bundle version in this lane")
        read = _read(lane, form)
        if "preview" not in read:
            raise Http404(read["trouble"])
        response = HttpResponse(read["preview"].body, content_type="application/json")
        name = f"{form.cleaned_data['brief']}-bundle-{form.cleaned_data['bundle']}.json"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


def _form(request: HttpRequest, lane: Lane) -> PreviewForm:
    given = request.GET.dict()
    if "bundle" in given and "brief" not in given:
        briefs = _briefs(lane)
        first = next((choice for _, group in briefs for choice, _ in group), "")
        given["brief"] = first
    return PreviewForm(given or None, lane=lane)


def _read(lane: Lane, form: PreviewForm) -> dict[str, Any]:
    brief = Brief.objects.select_related("instance").get(brief_id=form.cleaned_data["brief"])
    bundle = Bundle.objects.get(lane=lane, version=form.cleaned_data["bundle"])
    try:
        preview: Preview = preview_request(lane, brief, bundle)
    except (ContractError, NonRetryableError) as error:
        return {"trouble": str(error)}
    return {
        "preview": preview,
        "brief": brief,
        "bundle": bundle,
        "readable": indented(preview.request),
        "query": f"brief={brief.brief_id}&bundle={bundle.version}",
    }


def _briefs(lane: Lane) -> list[tuple[str, list[tuple[str, str]]]]:
    newest = Brief.objects.select_related("lane").defer("embedding").order_by("-id")
    mine, others = newest.filter(lane=lane)[:_BRIEFS], newest.exclude(lane=lane)[:_BRIEFS]
    groups = [
        (lane.title, [(b.brief_id, f"{b.brief_id}: {b.title}") for b in mine]),
        (
            "Other lanes",
            [(b.brief_id, f"{b.brief_id}: {b.title} ({b.lane.title})") for b in others],
        ),
    ]
    return [group for group in groups if group[1]]


def _bundles(lane: Lane) -> list[tuple[int, str]]:
    drafts = set(lane.bundles.filter(uses=None).values_list("pk", flat=True))
    found = []
    for row in lane.bundles.order_by("-version"):
        state = "in use" if row.pk == lane.bundle_id else "draft" if row.pk in drafts else ""
        found.append((row.version, f"version {row.version}{f' ({state})' if state else ''}"))
    found.sort(key=lambda each: "in use" not in each[1])
    return found
