"""The forms of the operators' verbs: each keeps a reason, and carries what the operator saw."""

import json
import secrets
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.validators import RegexValidator

from publishing.admin.downloads import indented, read_output
from workflows.graphs import EVENT_TYPE, EVENT_TYPE_WORDS
from workflows.listing import entry_name
from workflows.models import Instance, Reason, Status

WHOLE = "the first entry: everything runs again"


class JsonText(forms.CharField):
    """JSON as an operator types it; what is no JSON is refused with its line and column."""

    def __init__(self, *, rows: int, **kwargs: Any) -> None:
        attributes = {"rows": rows, "class": "vLargeTextField mono", "spellcheck": "false"}
        super().__init__(strip=False, widget=forms.Textarea(attrs=attributes), **kwargs)

    def clean(self, value: Any) -> Any:
        """Return the value that the text means; of an empty text None."""
        text = super().clean(value)
        if not text.strip():
            return None
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise forms.ValidationError(f"This is not JSON: {error.msg} at {where}.") from None
        except (RecursionError, ValueError):
            raise forms.ValidationError(
                "This JSON is too deep or holds too long a number."
            ) from None


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
        self.fields["entry"] = entry_field(entry_name(entry) for entry in reached)
        self.order_fields(["entry", "why"])


class EventForm(WhyForm):
    """What is sent; the key, drawn with the page, makes a second click send nothing."""

    type = forms.CharField(
        label="Type",
        max_length=100,
        validators=[RegexValidator(EVENT_TYPE.pattern + r"\Z", EVENT_TYPE_WORDS)],
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false"}),
    )
    payload = JsonText(
        rows=6, required=False, label="Payload", help_text="JSON, at most 1 MiB; empty for none."
    )
    key = forms.CharField(widget=forms.HiddenInput, max_length=100)
    generation = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, instance: Instance, data: Any = None) -> None:
        wanted = [entry["wait"] for entry in instance.graph.entries if "wait" in entry]
        seen = {
            "type": wanted_event(instance) or (wanted[0] if wanted else ""),
            "key": f"admin-{secrets.token_urlsafe(18)}",
            "generation": instance.generation,
        }
        super().__init__(data, initial=seen)
        named = ", ".join(dict.fromkeys(wanted))
        self.fields["type"].help_text = (
            f"Its graph waits for: {named}."
            if wanted
            else "No entry of its graph waits for an event: nothing will take this one."
        )
        self.order_fields(["type", "payload", "why"])


class OutputForm(WhyForm):
    """Another output of one step; the record is the one that the operator saw."""

    entry = forms.CharField(widget=forms.HiddenInput)
    record = forms.IntegerField(widget=forms.HiddenInput)
    output = JsonText(rows=14, label="Output")

    def __init__(self, instance: Instance, entry: str, data: Any = None) -> None:
        live = instance.records.filter(entry=entry, superseded=False)
        record = live.values_list("pk", "sensitive").first()
        seen: dict[str, Any] = {"entry": entry, "record": record and record[0]}
        hidden = bool(record and record[1])
        if record and not hidden:
            seen["output"] = indented(read_output(instance, entry))
        super().__init__(data, initial=seen)
        self.fields["output"].help_text = (
            "JSON that fits what the step returns. Its present output is sensitive, and not shown."
            if hidden
            else "JSON that fits what the step returns. This is its present output."
        )
        self.order_fields(["output", "why"])


def entry_field(names: Iterable[str]) -> forms.ChoiceField:
    """Return the choice of where a restart begins; empty is the first entry."""
    return forms.ChoiceField(
        label="Begin again at",
        required=False,
        choices=[("", WHOLE), *((name, name) for name in dict.fromkeys(names))],
    )


def wanted_event(instance: Instance) -> str:
    """Return the type of event that the instance waits for now, if it does."""
    entries = instance.graph.entries
    stands = instance.status in (Status.WAITING, Status.PAUSED)
    if not stands or instance.reason != Reason.EVENT or instance.position >= len(entries):
        return ""
    return str(entries[instance.position].get("wait", ""))
