"""Verbs for many instances: a page that counts what applies, then one verb for each.

Ticked rows are done at once. The whole list, or more rows than `AT_ONCE_MOST`, is ordered as a
bulk operation, which workers apply in the background.
"""

from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.signing import BadSignature
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from publishing.admin.applying import APPLIES
from publishing.admin.bulk_orders import order_once, read_filter, shown_at, stamp
from publishing.admin.forecast import forecast_many
from publishing.admin.verb_forms import WhyForm, entry_field
from publishing.admin.verbs import VERBS
from workflows.bulk import VERBS as CALLS
from workflows.bulk import BulkVerb
from workflows.errors import FilterError, WorkflowError
from workflows.listing import Filter, entry_name
from workflows.models import Instance, StepGraph

AT_ONCE_MOST = 200  # instances in one request; more are a bulk operation
NAMED_MOST = 5  # refusals quoted in the message; the rest is counted


class ManyForm(WhyForm):
    """A reason, when the page was shown, and of a restart the entry to begin at."""

    stamped = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, verb: str, data: Any = None, *, is_bulk: bool) -> None:
        super().__init__(data, initial={"stamped": stamp()})
        self.fields["stamped"].required = is_bulk
        if verb == "restart":
            graphs = StepGraph.objects.order_by("pk").values_list("entries", flat=True)
            self.fields["entry"] = entry_field(entry_name(each) for all_ in graphs for each in all_)
            self.order_fields(["entry", "why"])

    def clean_stamped(self) -> Any:
        """Return when the page was shown."""
        stamped = self.cleaned_data["stamped"]
        try:
            return shown_at(stamped) if stamped else None
        except BadSignature:
            raise forms.ValidationError("This form is too old; choose the action again.") from None


@dataclass
class _Tally:
    """What became of each."""

    done: int = 0
    unchanged: int = 0
    refused: list[str] = field(default_factory=list)


class BulkVerbs:
    """The actions of the instance list."""

    admin_site: Any
    opts: Any
    message_user: Any

    @admin.action(description="Retry failed step", permissions=["change"])
    def retry_selected(
        self, request: HttpRequest, queryset: QuerySet[Instance]
    ) -> HttpResponse | None:
        """Confirm, then retry each."""
        return self._many(request, queryset, "retry")

    @admin.action(description="Resume", permissions=["change"])
    def resume_selected(
        self, request: HttpRequest, queryset: QuerySet[Instance]
    ) -> HttpResponse | None:
        """Confirm, then resume each."""
        return self._many(request, queryset, "resume")

    @admin.action(description="Pause", permissions=["change"])
    def pause_selected(
        self, request: HttpRequest, queryset: QuerySet[Instance]
    ) -> HttpResponse | None:
        """Confirm, then pause each."""
        return self._many(request, queryset, "pause")

    @admin.action(description="Restart", permissions=["change"])
    def restart_selected(
        self, request: HttpRequest, queryset: QuerySet[Instance]
    ) -> HttpResponse | None:
        """Confirm, then restart each."""
        return self._many(request, queryset, "restart")

    @admin.action(description="Terminate", permissions=["change"])
    def terminate_selected(
        self, request: HttpRequest, queryset: QuerySet[Instance]
    ) -> HttpResponse | None:
        """Confirm, then terminate each."""
        return self._many(request, queryset, "terminate")

    def _many(
        self, request: HttpRequest, queryset: QuerySet[Instance], verb: str
    ) -> HttpResponse | None:
        is_all = request.POST.get("select_across") == "1"
        is_bulk = is_all or queryset.count() > AT_ONCE_MOST
        form = ManyForm(
            verb, request.POST if "confirmed" in request.POST else None, is_bulk=is_bulk
        )
        try:
            if form.is_valid():
                return self._do(request, queryset, verb, form, is_all=is_all, is_bulk=is_bulk)
            if is_bulk:
                now = timezone.now()
                found = _filter_of(request, queryset, is_all=is_all, now=now).instances()
                return self._ask(request, found, verb, form, is_all=is_all, is_bulk=True)
        except FilterError as error:
            text = f"Nothing changed. {error.name[:1].upper()}{error.name[1:]}: {_words(error)}."
            self.message_user(request, text, messages.ERROR)
            return None
        return self._ask(request, queryset, verb, form, is_all=is_all, is_bulk=False)

    def _ask(
        self,
        request: HttpRequest,
        chosen: QuerySet[Instance],
        verb: str,
        form: ManyForm,
        *,
        is_all: bool,
        is_bulk: bool,
    ) -> TemplateResponse:
        applying = chosen.filter(APPLIES[verb]())
        fitting = set(applying.values_list("pk", flat=True)) if not is_bulk else set()
        rows = [] if is_bulk else list(chosen)
        number = applying.count() if is_bulk else len(fitting)
        total = chosen.count() if is_bulk else len(rows)
        picked = request.POST.getlist(ACTION_CHECKBOX_NAME)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{VERBS[verb].title if verb != 'restart' else 'Restart'}?",
            "opts": self.opts,
            "action": f"{verb}_selected",
            "verb": verb,
            "verb_title": VERBS[verb].title if verb != "restart" else "Restart",
            "checkbox": ACTION_CHECKBOX_NAME,
            "is_all": is_all,
            "is_bulk": is_bulk,
            # Django takes no action without a ticked row, even for the whole list.
            "picked": picked[:1] if is_all else picked,
            "seen": [f"{row.pk}:{row.generation}" for row in rows] if verb == "restart" else [],
            "total": total,
            "number": number,
            "rest": total - number,
            "applying": [row for row in rows if row.pk in fitting],
            "left": [row for row in rows if row.pk not in fitting],
            "form": form,
            "cost": forecast_many(applying, verb),
        }
        return TemplateResponse(request, "admin/workflows/instance/many.html", context)

    def _do(
        self,
        request: HttpRequest,
        queryset: QuerySet[Instance],
        verb: str,
        form: ManyForm,
        *,
        is_all: bool,
        is_bulk: bool,
    ) -> HttpResponse | None:
        why, entry = form.cleaned_data["why"], form.cleaned_data.get("entry") or None
        if not is_bulk:
            seen = dict(pair.split(":", 1) for pair in request.POST.getlist("seen") if ":" in pair)
            tally = _do_each(queryset, verb, request.user.get_username(), why, entry, seen)
            self._report(request, VERBS[verb].title, tally)
            return None
        shown = form.cleaned_data["stamped"]
        chosen = _filter_of(request, queryset, is_all=is_all, now=shown)
        operation, is_new = order_once(
            BulkVerb(verb, entry=entry), chosen, user=request.user, why=why, shown=shown
        )
        noun = "instance" if operation.total == 1 else "instances"
        said = (
            f"Ordered: {operation.verb} for {operation.total} {noun}. Workers apply it in the "
            "background."
        )
        if is_new:
            self.message_user(request, said, messages.SUCCESS)
        else:
            self.message_user(request, "This was ordered already; nothing changed.", messages.INFO)
        page = reverse("admin:workflows_bulkoperation_change", args=[operation.pk])
        return HttpResponseRedirect(page)

    def _report(self, request: HttpRequest, title: str, tally: _Tally) -> None:
        refused = tally.refused
        if tally.done:
            self.message_user(request, f"{title}: done for {tally.done}.", messages.SUCCESS)
        if tally.unchanged:
            text = f"{title}: {tally.unchanged} were so already; nothing changed there."
            self.message_user(request, text, messages.INFO)
        if refused:
            named = "; ".join(refused[:NAMED_MOST])
            more = len(refused) - NAMED_MOST
            named += f"; and {more} more" if more > 0 else ""
            text = f"{title}: {len(refused)} left as they were. {named}."
            self.message_user(request, text, messages.WARNING)


def _filter_of(
    request: HttpRequest, queryset: QuerySet[Instance], *, is_all: bool, now: Any
) -> Filter:
    """Return the list's own filter, or one of the rows that were ticked."""
    if is_all:
        return read_filter(request.GET.dict(), now=now)
    return Filter(
        ids=tuple(sorted(str(each) for each in queryset.values_list("instance_id", flat=True)))
    )


def _do_each(
    rows: QuerySet[Instance],
    verb: str,
    actor: str,
    why: str,
    entry: str | None,
    seen: dict[str, str],
) -> _Tally:
    """Apply the verb to each; a restart only to the generation that the operator saw."""
    tally = _Tally()
    for row in rows:
        more: dict[str, Any] = {}
        if verb == "restart":
            generation = seen.get(str(row.pk), "")
            more = {"entry": entry, "generation": int(generation) if generation.isdecimal() else 0}
        try:
            changed = CALLS[verb](str(row.instance_id), actor=actor, why=why, **more)
        except WorkflowError as error:
            tally.refused.append(str(error))
        else:
            tally.done += changed
            tally.unchanged += not changed
    return tally


def _words(error: FilterError) -> str:
    return str(error).removeprefix(f"{error.name}: ")
