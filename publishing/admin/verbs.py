"""The operators' verbs as the instance page offers them: one call each, and its result in words."""

from typing import Any

from django import forms
from django.db import transaction

from publishing.admin.paying_verbs import REGENERATE, USE_PAID_ANSWER
from publishing.admin.verb import ALREADY, Result, Verb, current_entry
from publishing.admin.verb_forms import EventForm, OutputForm, RestartForm, wanted_event
from workflows.errors import VerbRefusedError
from workflows.events import send_event
from workflows.listing import entry_name
from workflows.models import Instance, Status
from workflows.verbs import (
    get_instance,
    pause,
    replace_output,
    restart,
    resume,
    retry,
    terminate,
)


def do_retry(instance: Instance, *, actor: str, form: forms.Form) -> Result:
    """Retry, and say what happens now."""
    retry(str(instance.instance_id), actor=actor, why=form.cleaned_data["why"])
    return Result(f"Now {current_entry(instance)} of {instance.instance_id} is tried again.")


def do_pause(instance: Instance, *, actor: str, form: forms.Form) -> Result:
    """Pause, and say whether a running step finishes first."""
    instance_id = str(instance.instance_id)
    changed = pause(instance_id, actor=actor, why=form.cleaned_data["why"])
    now = get_instance(instance_id)
    if now.pause_requested:
        where = f"after {current_entry(now)}, which runs now, has finished or failed"
        said = f"Pausing: {instance_id} stands still {where}."
        return Result(said if changed else f"{said} That was asked before; {ALREADY}.", changed)
    if changed:
        return Result(f"Paused: {instance_id}, at {current_entry(now)}.")
    return Result(f"Paused already: {instance_id}; {ALREADY}.", changed=False)


def do_resume(instance: Instance, *, actor: str, form: forms.Form) -> Result:
    """Resume, and say where it goes on."""
    instance_id = str(instance.instance_id)
    if resume(instance_id, actor=actor, why=form.cleaned_data["why"]):
        return Result(f"Now {instance_id} goes on at {current_entry(get_instance(instance_id))}.")
    return Result(f"Not paused: {instance_id}; {ALREADY}.", changed=False)


def do_send_event(instance: Instance, *, actor: str, form: forms.Form) -> Result:
    """Send the event once, however often the button is clicked."""
    instance_id, given = str(instance.instance_id), form.cleaned_data
    sent = send_event(
        instance_id,
        given["type"],
        given["payload"],
        sender=actor,
        key=given["key"],
        generation=given["generation"],
        why=given["why"],
    )
    if not sent:
        return Result(f"This event was sent to {instance_id} already; {ALREADY}.", changed=False)
    if wanted_event(instance) != given["type"]:
        then = "it is kept until an entry waits for it"
    elif instance.status == Status.PAUSED:
        then = "it is taken once the instance is resumed"
    else:
        then = f"{current_entry(instance)} takes it now"
    return Result(f"Event {given['type']} was sent to {instance_id}: {then}.")


@transaction.atomic
def do_replace_output(instance: Instance, *, actor: str, form: forms.Form) -> Result:
    """Replace the output that the operator saw, not one that came between."""
    instance_id, given = str(instance.instance_id), form.cleaned_data
    now = get_instance(instance_id, lock=True)
    live = now.records.filter(entry=given["entry"], superseded=False)
    if live.exists() and not live.filter(pk=given["record"]).exists():
        raise VerbRefusedError(
            f"replace-output: {given['entry']} of {instance_id} has had another output since you "
            "opened the form; nothing changed"
        )
    if replace_output(instance_id, given["entry"], given["output"], actor=actor, why=given["why"]):
        told = "What it had is kept as superseded; the remaining steps read the new one."
        return Result(f"The output of {given['entry']} of {instance_id} is replaced. {told}")
    said = f"This is the output of {given['entry']} of {instance_id} already; {ALREADY}."
    return Result(said, changed=False)


def do_restart(instance: Instance, *, actor: str, form: forms.Form) -> Result:
    """Restart what the operator saw: a second click meets another generation and is refused."""
    seen = form.cleaned_data["generation"]
    entry = form.cleaned_data["entry"] or None
    restart(
        str(instance.instance_id),
        actor=actor,
        why=form.cleaned_data["why"],
        entry=entry,
        generation=seen,
    )
    begin = entry or entry_name(instance.graph.entries[0])
    return Result(f"Now {instance.instance_id} begins again at {begin}, as generation {seen + 1}.")


def do_terminate(instance: Instance, *, actor: str, form: forms.Form) -> Result:
    """Terminate, and say so."""
    if terminate(str(instance.instance_id), actor=actor, why=form.cleaned_data["why"]):
        return Result(f"Terminated: {instance.instance_id}. Nothing more of it runs or is paid.")
    return Result(f"Terminated already: {instance.instance_id}; {ALREADY}.", changed=False)


def _output_form(instance: Instance, data: Any) -> forms.Form:
    return OutputForm(instance, (data or {}).get("entry", ""), data)


VERBS = {
    verb.name: verb
    for verb in (
        USE_PAID_ANSWER,
        Verb("retry", "Retry failed step", "primary", do_retry),
        Verb("resume", "Resume", "primary", do_resume),
        Verb("send-event", "Send an event", "plain", do_send_event, EventForm, "type"),
        Verb("pause", "Pause", "plain", do_pause),
        Verb("replace-output", "Replace an output", "plain", do_replace_output, _output_form,
             "output"),
        Verb("restart", "Restart from an entry", "plain", do_restart, RestartForm),
        REGENERATE,
        Verb("terminate", "Terminate", "dear", do_terminate),
    )
}  # fmt: skip
