"""The pages of the verbs for one instance: what will happen, a reason, then the exact result."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from publishing.admin.applying import verbs_for
from publishing.admin.forecast import forecast
from publishing.admin.paying_verbs import RegenerateForm, starts_of
from publishing.admin.verb import Verb, current_entry
from publishing.admin.verb_forms import OutputForm, wanted_event
from publishing.admin.verbs import VERBS
from workflows.errors import (
    ContractError,
    EventError,
    NonRetryableError,
    PayloadError,
    VerbRefusedError,
)
from workflows.models import Instance


class VerbPages:
    """A page for each verb: it says what will happen, and does it on POST."""

    admin_site: Any
    opts: Any
    has_change_permission: Any
    seen: Any  # request and address to the instance; refuses who may not look

    def verb_urls(self) -> list[URLPattern]:
        """Return the addresses of the verbs' pages."""
        view = self.admin_site.admin_view(self.verb_view)
        return [
            path(f"<path:object_id>/{verb}/", view, {"verb": verb},
                 name=f"workflows_instance_{verb}")
            for verb in VERBS
        ]  # fmt: skip

    def verb_view(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponseBase:
        """Say what the verb will do; do it when that was confirmed by a POST."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        instance, chosen = self.seen(request, object_id), VERBS[verb]
        form = _form(request, chosen, instance)
        if form is not None and request.method == "POST" and form.is_valid():
            done = _do(request, chosen, instance, form)
            if done is not None:
                return done
        entry = str(form["entry"].value() or "") if form and "entry" in form.fields else ""
        context = {
            **self.admin_site.each_context(request),
            "title": f"{chosen.title}?",
            "opts": self.opts,
            "instance": instance,
            "verb": chosen,
            "applies": verb in verbs_for(instance),
            "current": current_entry(instance),
            "wanted": wanted_event(instance),
            "forecast": forecast(instance, verb),
            "form": form,
            "finished": [] if form else _finished(instance),
            "page": _page_of(instance),
            **chosen.about(instance, entry),
        }
        return TemplateResponse(request, chosen.template, context)

    def offered(self, request: HttpRequest, instance: Instance) -> list[dict[str, Any]]:
        """Return the verbs that apply, with their addresses; none to who may not use them."""
        if not self.has_change_permission(request):
            return []
        applying = verbs_for(instance)
        return [
            {
                "verb": verb,
                "url": reverse(f"admin:workflows_instance_{verb.name}", args=[instance.pk]),
                "weight": _weight(verb, instance, applying),
            }
            for verb in VERBS.values()
            if verb.name in applying
        ]


def _form(request: HttpRequest, verb: Verb, instance: Instance) -> forms.Form | None:
    """Return the verb's form; None while it is still to be chosen which entry it is about."""
    data = request.POST if request.method == "POST" else None
    choices = {"replace-output": _finished, "regenerate": starts_of}.get(verb.name)
    if choices is None or data is not None:
        return verb.form(instance, data)
    entry = request.GET.get("entry", "")
    if entry not in choices(instance):
        return None
    return (OutputForm if verb.name == "replace-output" else RegenerateForm)(instance, entry)


def _do(
    request: HttpRequest, verb: Verb, instance: Instance, form: forms.Form
) -> HttpResponseBase | None:
    """Do it and go back to the instance; None if what was typed does not fit."""
    try:
        result = verb.do(instance, actor=request.user.get_username(), form=form)
    except (VerbRefusedError, NonRetryableError) as error:
        messages.error(request, str(error))
    except (ContractError, EventError, PayloadError) as error:
        form.add_error(
            verb.field if verb.field in form.fields else None, f"{error}; nothing changed"
        )
        return None
    else:
        tell = messages.success if result.changed else messages.info
        tell(request, result.said)
    return HttpResponseRedirect(_page_of(instance))


def _finished(instance: Instance) -> list[str]:
    """Return the names of the steps that have an output, in the graph's order."""
    live = instance.records.filter(superseded=False).order_by("position")
    steps = {place for place, entry in enumerate(instance.graph.entries) if "step" in entry}
    return [name for place, name in live.values_list("position", "entry") if place in steps]


def _weight(verb: Verb, instance: Instance, applying: set[str]) -> str:
    """Return the verb's weight; what the instance waits for comes to the front, alone."""
    if verb.name == "retry" and "use-paid-answer" in applying:
        return "plain"
    return "primary" if verb.name == "send-event" and wanted_event(instance) else verb.weight


def _page_of(instance: Instance) -> str:
    return reverse("admin:workflows_instance_change", args=[instance.pk])
