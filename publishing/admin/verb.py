"""What a verb's page is made of, and what a verb answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms

from publishing.admin.verb_forms import WhyForm
from workflows.listing import entry_name
from workflows.models import Instance

ALREADY = "nothing changed"


@dataclass(frozen=True)
class Result:
    """What a verb did, in words; `changed` is False where it was so already."""

    said: str
    changed: bool = True


@dataclass(frozen=True)
class Verb:
    """A verb's page: its words, its form, what it does.

    Attributes:
        weight: `primary`, `plain` or `dear`; dear ones stand last and outlined.
        field: of the form: where an error of what was typed is shown.
        template: of its page.
        about: what its page knows beyond the forecast, of the instance and the entry that was
            chosen.
    """

    name: str
    title: str
    weight: str
    do: Callable[..., Result]
    form: Callable[[Instance, Any], forms.Form] = lambda instance, data: WhyForm(data)
    field: str | None = None
    template: str = "admin/workflows/instance/verb.html"
    about: Callable[[Instance, str], dict[str, Any]] = lambda instance, entry: {}


def current_entry(instance: Instance) -> str:
    """Return the name of the entry that the instance stands at."""
    entries = instance.graph.entries
    return entry_name(entries[instance.position]) if instance.position < len(entries) else "–"
