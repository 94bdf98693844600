"""The operators' verbs as pages: what will happen, a reason, and then the exact result."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.utils import timezone

from publishing.admin.marks import money
from publishing.admin.timeline import entry_name
from workflows.errors import ContractError, VerbRefusedError
from workflows.graphs import StepEntry, load_plan
from workflows.models import Instance, Reason, Status
from workflows.verbs import restart, retry, terminate

SERVED_AGAIN = "An answer that was settled is served again for the same request, not paid again."


class WhyForm(forms.Form):
    """The reason that is kept with the verb."""

    why = forms.CharField(
        label="Reason",
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"size": 60}),
        help_text="Kept in the event log with your name.",
    )


class RestartForm(WhyForm):
    """Where to begin again; the generation is the one that the operator saw."""

    generation = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, instance: Instance, data: Any = None) -> None:
        super().__init__(data, initial={"generation": instance.generation})
        reached = instance.graph.entries[: instance.position + 1]
        choices = [(entry_name(entry), entry_name(entry)) for entry in reached]
        self.fields["entry"] = forms.ChoiceField(
            label="Begin again at",
            required=False,
            choices=[("", "the first entry: everything runs again"), *choices],
        )
        self.order_fields(["entry", "why"])


@dataclass
class Forecast:
    """What a verb will do, said before it is done."""

    runs_again: list[str] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)
    pays: str = ""


def forecast(instance: Instance, *, begin: int) -> Forecast:
    """Say what runs again from a position on, what stays, and what that may cost."""
    names = [entry_name(entry) for entry in instance.graph.entries]
    done = set(instance.records.filter(superseded=False).values_list("entry", flat=True))
    return Forecast(
        runs_again=names[begin:],
        stays=[name for name in names[:begin] if name in done],
        pays=_may_pay(instance, begin),
    )


def applies_to_retry(instance: Instance) -> bool:
    """Whether a retry would be taken now; the verb itself decides."""
    if instance.pruned_at is not None:
        return False
    if instance.status == Status.ERRORED:
        return True
    is_waiting = instance.status == Status.WAITING and instance.reason != Reason.SLEEP
    return is_waiting and (instance.due_at is None or instance.due_at > timezone.now())


def applies_to_terminate(instance: Instance) -> bool:
    """Whether it could be ended now; the verb itself decides."""
    ended = (Status.COMPLETE, Status.TERMINATED)
    return instance.pruned_at is None and instance.status not in ended


def applies_to_restart(instance: Instance) -> bool:
    """Whether it could begin again; the verb itself decides."""
    return instance.pruned_at is None


def do_retry(instance: Instance, *, actor: str, form: forms.Form) -> str:
    """Retry, and say what happens now."""
    retry(str(instance.instance_id), actor=actor, why=form.cleaned_data["why"])
    return f"Now {current_entry(instance)} of {instance.instance_id} is tried again."


def do_terminate(instance: Instance, *, actor: str, form: forms.Form) -> str:
    """Terminate, and say so."""
    terminate(str(instance.instance_id), actor=actor, why=form.cleaned_data["why"])
    return f"Terminated: {instance.instance_id}. Nothing more of it runs or is paid."


def do_restart(instance: Instance, *, actor: str, form: forms.Form) -> str:
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
    return f"Now {instance.instance_id} begins again at {begin}, as generation {seen + 1}."


def do_many(
    instances: Iterable[Instance], verb: Callable[..., bool], *, actor: str, why: str
) -> tuple[list[str], list[str]]:
    """Apply the verb to each; return the IDs that it was taken for and what refused it."""
    done: list[str] = []
    refused: list[str] = []
    for instance in instances:
        try:
            verb(str(instance.instance_id), actor=actor, why=why)
        except VerbRefusedError as error:
            refused.append(str(error))
        else:
            done.append(str(instance.instance_id))
    return done, refused


def current_entry(instance: Instance) -> str:
    """Return the name of the entry that the instance stands at."""
    entries = instance.graph.entries
    return entry_name(entries[instance.position]) if instance.position < len(entries) else "–"


def _may_pay(instance: Instance, begin: int) -> str:
    try:
        plan = load_plan(instance.graph_id, instance.workflow)
    except ContractError as drift:
        return f"This code cannot run its graph ({drift}), so it will wait for code that can."
    most, names = 0, []
    for entry in plan.entries[begin:]:
        if isinstance(entry, StepEntry) and entry.step.worst_case is not None:
            most += entry.step.worst_case(entry.options)
            names.append(entry.name)
    if not names:
        return "None of this pays for anything."
    return f"May pay: {', '.join(names)}; at most {money(most)} a run. {SERVED_AGAIN}"
