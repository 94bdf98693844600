"""Regenerate and use the paid answer: the verbs about what was paid, as the pages offer them."""

from dataclasses import dataclass
from typing import Any

from django import forms

from publishing.admin.verb import Result, Verb, current_entry
from publishing.admin.verb_forms import WhyForm
from publishing.ledger.errors import MissingCapError, UnknownPriceError
from publishing.paid_answers import find_paid_answer, use_paid_answer
from publishing.regeneration import (
    RegenerationEstimate,
    bundles_for,
    estimate_regeneration,
    regenerate,
)
from workflows.errors import ContractError, VerbRefusedError
from workflows.listing import entry_name
from workflows.models import Instance

_UNTOLD = (ContractError, MissingCapError, UnknownPriceError, VerbRefusedError)
_FOLDER = "admin/workflows/instance"


@dataclass(frozen=True)
class Start:
    """An entry that a regeneration may begin at, and what it may cost from there on."""

    entry: str
    estimate: RegenerationEstimate


class RegenerateForm(WhyForm):
    """Which bundle and why; the entry and the generation are those that the operator saw."""

    entry = forms.CharField(widget=forms.HiddenInput)
    generation = forms.IntegerField(widget=forms.HiddenInput)
    bundle = forms.ChoiceField(widget=forms.RadioSelect)

    def __init__(self, instance: Instance, entry: str, data: Any = None) -> None:
        super().__init__(data, initial={"entry": entry, "generation": instance.generation})
        self.fields["why"].required = True
        self.fields["bundle"] = _bundle_field(instance, entry)
        self.order_fields(["bundle", "why"])


class PaidAnswerForm(WhyForm):
    """Why the answer will do; the request is the one that the operator saw."""

    request_hash = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, instance: Instance, data: Any = None) -> None:
        paid = find_paid_answer(instance)
        super().__init__(data, initial={"request_hash": paid.request_hash if paid else ""})


def do_regenerate(instance: Instance, *, actor: str, form: forms.Form) -> Result:
    """Pay again from the entry on; a second click meets another generation and is refused."""
    given = form.cleaned_data
    made = regenerate(
        str(instance.instance_id),
        given["entry"],
        actor=actor,
        why=given["why"],
        bundle=given["bundle"],
        generation=given["generation"],
    )
    return Result(
        f"Now {instance.instance_id} pays again from {made.entry} on, as generation {made.number}."
    )


def do_use_paid_answer(instance: Instance, *, actor: str, form: forms.Form) -> Result:
    """Use the answer for the request that the operator saw."""
    given = form.cleaned_data
    use_paid_answer(
        str(instance.instance_id),
        actor=actor,
        why=given["why"],
        request_hash=given["request_hash"],
    )
    entry = current_entry(instance)
    return Result(f"Now {entry} of {instance.instance_id} goes on with the answer that is paid.")


def starts_of(instance: Instance) -> list[str]:
    """Return the steps that were reached: those that a regeneration may begin at."""
    reached = instance.graph.entries[: instance.position + 1]
    return [entry_name(entry) for entry in reached if "step" in entry]


def _about_regenerate(instance: Instance, entry: str) -> dict[str, Any]:
    """Return the choice of where to begin, or what beginning at the entry may cost."""
    try:
        if entry:
            bundles = bundles_for(str(instance.instance_id), entry)
            return {"entry": entry, "estimate": _estimate(instance, entry), "bundles": bundles}
        return {"starts": [Start(name, _estimate(instance, name)) for name in starts_of(instance)]}
    except _UNTOLD as error:
        return {"trouble": str(error)}


def _about_paid_answer(instance: Instance, entry: str) -> dict[str, Any]:
    """Return the answer that is paid, and what regenerating instead may cost."""
    about: dict[str, Any] = {"paid": find_paid_answer(instance)}
    try:
        about["instead"] = _estimate(instance, current_entry(instance))
    except _UNTOLD as error:
        about["trouble"] = str(error)
    return about


def _estimate(instance: Instance, entry: str) -> RegenerationEstimate:
    return estimate_regeneration(str(instance.instance_id), entry)


def _regenerate_form(instance: Instance, data: Any) -> forms.Form:
    return RegenerateForm(instance, (data or {}).get("entry", ""), data)


def _bundle_field(instance: Instance, entry: str) -> forms.ChoiceField:
    """Return the choice by version numbers, hidden where there is none to make.

    Hidden it takes both still: a second click of a form that offered them is to meet the
    generation, which says what happened.
    """
    hidden = forms.ChoiceField(
        choices=[("same", "the same"), ("current", "the current one")],
        initial="same",
        widget=forms.HiddenInput,
    )
    try:
        bundles = bundles_for(str(instance.instance_id), entry)
    except (ContractError, VerbRefusedError):  # what is wrong is told where it is done
        return hidden
    if not bundles.is_read or bundles.current in (None, bundles.same):
        return hidden
    choices = [
        ("same", f"the same: version {bundles.same.version}"),
        ("current", f"the lane's current one: version {bundles.current.version}"),
    ]
    return forms.ChoiceField(
        label="Write under bundle", choices=choices, initial="same", widget=forms.RadioSelect
    )


USE_PAID_ANSWER = Verb(
    "use-paid-answer", "Use the paid answer", "primary", do_use_paid_answer, PaidAnswerForm,
    template=f"{_FOLDER}/use_paid_answer.html", about=_about_paid_answer,
)  # fmt: skip
REGENERATE = Verb(
    "regenerate", "Regenerate", "dear", do_regenerate, _regenerate_form, "entry",
    template=f"{_FOLDER}/regenerate.html", about=_about_regenerate,
)  # fmt: skip
