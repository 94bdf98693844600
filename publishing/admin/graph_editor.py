"""The graph editor: write or compose entries, see them drawn, save a draft or put them to use."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse

from lanes.models import Lane
from lanes.versions import draft_graph, draft_options, save_graph, use_spine
from publishing.admin.entry_form import EntryForm
from publishing.admin.graph_form import GraphForm, Judged, begin, judge
from publishing.admin.lane_page import open_instances
from publishing.admin.lane_versions import kept_words, used_words
from publishing.admin.seen_versions import SupersededError, still_in_use
from publishing.admin.version_kinds import lines_of
from workflows.errors import ContractError


class GraphEditor:
    """The views that change a lane's graph."""

    has_change_permission: Any
    seen_lane: Any
    shown: Any

    def graph_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the graph with its text; check, compose or save it on POST."""
        lane: Lane = self.seen_lane(request, object_id)
        if request.method != "POST":
            form = GraphForm(initial=begin(lane, _chosen(request, lane)))
            return self._editor(request, lane, form, None)
        if not self.has_change_permission(request):
            raise PermissionDenied
        form = GraphForm(request.POST)
        if form.is_valid():
            if "_add" in request.POST:
                return self._added(request, lane, form)
            if "_use" in request.POST or "_draft" in request.POST:
                return self._saved(request, lane, form)
        return self._editor(
            request, lane, form, request.POST if "_choose" in request.POST else None
        )

    def spine_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Put the lane back on the spine."""
        lane: Lane = self.seen_lane(request, object_id)
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            with still_in_use(lane, "graph", request.POST.get("seen", "")):
                use_spine(lane, author=_author(request))
        except SupersededError as error:
            messages.error(request, f"{error}. Nothing changed; this is how it stands now.")
        except ContractError as error:
            messages.error(request, f"{error}. Nothing changed.")
        else:
            kept = kept_words(open_instances(lane).count())
            messages.success(request, f"{lane.title} is on the spine from now on; {kept}")
        return HttpResponseRedirect(_page_of(lane))

    def _added(self, request: HttpRequest, lane: Lane, form: GraphForm) -> HttpResponse:
        """Put the composed entry into the text; nothing is saved yet."""
        judged = judge(lane, form.cleaned_data)
        adding = EntryForm(request.POST, entries=judged.entries or [])
        if judged.entries is None or not adding.is_valid():
            return self._editor(request, lane, form, request.POST)
        text = lines_of(adding.added())
        return self._editor(request, lane, _rewritten(form, entries=text), None)

    def _saved(self, request: HttpRequest, lane: Lane, form: GraphForm) -> HttpResponse:
        written = form.cleaned_data
        judged = judge(lane, written)
        if judged.fault is None and judged.entries is not None:
            try:
                said = _save(request, lane, judged, written)
            except (SupersededError, ContractError) as error:
                form = _told(form, lane, error)
            else:
                messages.success(request, said)
                return HttpResponseRedirect(_page_of(lane))
        return self._editor(request, lane, form, None, is_refused=True)

    def _editor(
        self,
        request: HttpRequest,
        lane: Lane,
        form: GraphForm,
        adding: Any,
        *,
        is_refused: bool = False,
    ) -> HttpResponse:
        written = {name: form[name].value() or "" for name in form.fields}
        judged = judge(lane, written)
        is_new = form.is_bound or judged.needs_reason
        context = {
            "form": form,
            "judged": judged,
            "asks_reason": bool(written["reason"]) or (is_new and judged.needs_reason),
            "is_refused": is_refused,
            "add": EntryForm(adding, entries=judged.entries or []),
            "tab": "graph",
        }
        response: HttpResponse = self.shown(
            request, lane, "graph", f"Graph of {lane.title}", context
        )
        return response


def _save(request: HttpRequest, lane: Lane, judged: Judged, written: dict[str, Any]) -> str:
    """Store the version that was written, if what its author saw is still in use."""
    author, note, entries = _author(request), written["note"], judged.entries or []
    about = {"reason": written["reason"], "author": author, "note": note}
    with (
        still_in_use(lane, "graph", written["seen"]),
        still_in_use(lane, "options", written["seen_options"]) as locked,
    ):
        now = locked.options.entries if locked.options else {}
        changed = judged.options if judged.options != now else None
        if "_draft" in request.POST:
            version = draft_graph(lane, entries, **about)
            if changed is not None:
                draft_options(lane, changed, author=author, note=note)
            return f"Graph {version} is kept as a draft; nothing else changed."
        version = save_graph(lane, entries, options=changed, **about)
    kept = kept_words(open_instances(lane).count())
    return f"{used_words('Graph', version)}; {kept}"


def _told(form: GraphForm, lane: Lane, error: Exception) -> GraphForm:
    """Return the form with what was refused; saved again, it goes by what is in use now."""
    if not isinstance(error, SupersededError):
        form.add_error(None, f"{error}. Nothing was saved.")
        return form
    lane.refresh_from_db()
    now = {"seen": str(lane.graph_id or 0), "seen_options": str(lane.options_id or 0)}
    told = _rewritten(form, **now)
    told.is_valid()
    told.add_error(
        None,
        f"{error}. Nothing was saved and your text is still here; save again to make a version "
        "of it that replaces theirs.",
    )
    return told


def _rewritten(form: GraphForm, **fields: str) -> GraphForm:
    return GraphForm({**form.data.dict(), **fields})  # type: ignore[attr-defined]


def _chosen(request: HttpRequest, lane: Lane) -> Any:
    """Return the version that the editor shall begin with, if the address names one."""
    given = request.GET.get("from", "")
    return lane.graphs.filter(pk=given).first() if given.isascii() and given.isdigit() else None


def _author(request: HttpRequest) -> Any:
    return request.user


def _page_of(lane: Lane) -> str:
    return reverse("admin:lanes_lane_page", args=[lane.pk])
