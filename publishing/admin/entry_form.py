"""Add an entry to a graph: a step by its options' schema, or a wait, a sleep, an until."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from lanes.compiler import Entries, name_of
from lanes.spine import WORKFLOW
from publishing.admin.bundle_form import SpecField
from workflows.registry import all_steps, get_step, get_workflow
from workflows.steps import Step

PREFIX = "option-"
_LONG_TEXT = 300  # characters; an option that takes more is written in an area

WAITS: Mapping[str, dict[str, Any]] = {
    "wait": {
        "wait": {"type": "string", "description": "The type of the event, such as approval."},
        "timeout": {"type": "number", "default": 86400, "description": "Seconds."},
        "on_timeout": {"enum": ["error", "continue"], "default": "error"},
    },
    "sleep": {"sleep": {"type": "number", "default": 3600, "description": "Seconds."}},
    "until": {"until": {"type": "string", "default": "/brief/publish_at",
                        "description": "A JSON pointer into what the brief was sent with."}},
}  # fmt: skip


class EntryForm(forms.Form):
    """What is added, under which name, and where; then its options, once it is chosen."""

    kind = forms.ChoiceField(label="What")
    place = forms.TypedChoiceField(label="Where", coerce=int)
    name = forms.CharField(
        required=False,
        max_length=60,
        label="Name",
        help_text="Of the entry; empty for the step's own.",
    )

    def __init__(self, data: Mapping[str, Any] | None, *, entries: Entries) -> None:
        """Offer what fits a graph with these entries.

        Args:
            data: what was posted.
            entries: of the graph as it stands in the editor.
        """
        super().__init__(data, prefix="add")
        self._entries = entries
        self._field("kind").choices = _kinds()
        self._field("place").choices = _places(entries)
        self.initial["place"] = max(len(entries) - 1, 0)
        self.chosen = str(self["kind"].value() or "")
        self.options = _schema_of(self.chosen)
        for name, described in self.options.items():
            self.fields[PREFIX + name] = _field_of(name, described)

    @property
    def option_fields(self) -> list[forms.BoundField]:
        """The fields of the chosen one's options."""
        return [self[PREFIX + name] for name in self.options]

    def entry(self) -> dict[str, Any]:
        """Return the entry of a valid form; what is as by default is left out."""
        cleaned = self.cleaned_data
        given = {}
        for name, described in self.options.items():
            value = cleaned[PREFIX + name]
            if value not in (None, "") and value != described.get("default"):
                given[name] = value
        named = {"name": cleaned["name"]} if cleaned["name"] else {}
        if self.chosen in WAITS:
            return named | {self.chosen: self.options[self.chosen].get("default", "")} | given
        made: dict[str, Any] = {"step": self.chosen} | named
        return made | {"options": given} if given else made

    def added(self) -> Entries:
        """Return the graph with the entry in its place."""
        place = self.cleaned_data["place"]
        return [*self._entries[:place], self.entry(), *self._entries[place:]]

    def _field(self, name: str) -> Any:
        return self.fields[name]


def _kinds() -> list[tuple[str, Any]]:
    steps = [(step.name, step.name) for step in all_steps() if _may_stand_here(step)]
    return [("Steps", steps), ("Waits", [(kind, kind) for kind in WAITS])]


def _may_stand_here(step: Step) -> bool:
    """Return whether any graph of this workflow could feed the step."""
    known = {*get_workflow(WORKFLOW).provides, *(each.output for each in all_steps())}
    return all(any(issubclass(k, taken) for k in known) for taken in step.inputs.values())


def _places(entries: Sequence[Mapping[str, Any]]) -> list[tuple[int, str]]:
    named = [name_of(entry) or f"entry {n}" for n, entry in enumerate(entries)]
    return [*((n, f"before {name}") for n, name in enumerate(named)), (len(named), "at the end")]


def _schema_of(chosen: str) -> dict[str, dict[str, Any]]:
    """Return the options of a step, or of a wait, by name."""
    if chosen in WAITS:
        return WAITS[chosen]
    if chosen not in {step.name for step in all_steps()}:
        return {}
    options = get_step(chosen).options
    if options is None:
        return {}
    schema = options[1].model_json_schema()
    required = schema.get("required", [])
    return {
        name: _plain(described) | {"is_required": name in required}
        for name, described in schema.get("properties", {}).items()
    }


def _plain(described: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an optional value as that of the value."""
    real = [one for one in described.get("anyOf", []) if one.get("type") != "null"]
    return {**described, **real[0]} if len(real) == 1 else described


def _field_of(name: str, described: Mapping[str, Any]) -> forms.Field:
    default = described.get("default")
    more: dict[str, Any] = {
        "label": name.replace("_", " "),
        "required": bool(described.get("is_required")),
        "initial": default,
        "help_text": described.get("description", ""),
    }
    if "enum" in described:
        choices = [(one, one) for one in described["enum"]]
        return forms.ChoiceField(choices=choices, **more)
    kind = described.get("type")
    if kind == "boolean":
        return _yes_or_no(default=bool(default), **more)
    if kind == "integer":
        low, high = described.get("minimum"), described.get("maximum")
        return forms.IntegerField(min_value=low, max_value=high, **more)
    if kind == "number":
        return forms.FloatField(**more)
    if kind == "string":
        is_long = described.get("maxLength", 0) > _LONG_TEXT
        return SpecField(rows=5, **more) if is_long else forms.CharField(strip=False, **more)
    area = forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField mono"})
    return forms.JSONField(widget=area, **more | {"help_text": "As JSON."})


def _yes_or_no(*, default: bool, **more: Any) -> forms.Field:
    """Return a field that can be left alone: a box that is not ticked would say no."""
    usual = f"{'yes' if default else 'no'}, as by default"
    return forms.TypedChoiceField(
        choices=[("", usual), ("yes", "yes"), ("no", "no")],
        coerce=lambda given: given == "yes",
        empty_value=None,
        **more | {"required": False, "initial": ""},
    )
