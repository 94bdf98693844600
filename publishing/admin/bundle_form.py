"""The lane's form: its row, the four specs of its bundle, and its options.

What is written is compared with the version that the editor saw. Where another was put to use
meanwhile, nothing is saved until the editor has been told.
"""

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from lanes.models import Bundle, Lane
from lanes.storing import lock_lane
from lanes.versions import Specs, prove_options, read_specs, specs_of
from workflows.errors import ContractError

if TYPE_CHECKING:
    _LaneModelForm = forms.ModelForm[Lane]
else:
    _LaneModelForm = forms.ModelForm

LANE_FIELDS = ("name", "title", "description", "hue", "place", "closed_because")
SPEC_FIELDS = ("voice", "audience", "brief_hints")


class SpecField(forms.CharField):
    """Prose as it was typed; only the browser's line ends are taken back."""

    def __init__(self, **kwargs: Any) -> None:
        rows = kwargs.pop("rows", 12)
        widget = forms.Textarea(attrs={"rows": rows, "class": "vLargeTextField spec"})
        super().__init__(strip=False, widget=widget, **kwargs)

    def to_python(self, value: Any) -> str:
        """Return the text with plain newlines."""
        return str(super().to_python(value)).replace("\r\n", "\n")


class AntiPatternForm(forms.Form):
    """One row: what this lane does not print."""

    text = SpecField(rows=2, label="What is not printed")
    why = SpecField(rows=2, label="Why")
    severity = forms.ChoiceField(choices=[("warn", "warn"), ("flag", "flag")], initial="warn")
    pattern = forms.CharField(
        required=False,
        strip=False,
        label="Pattern that finds it",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        """Check the row as the bundle will keep it, so that a fault stands at its row."""
        cleaned = super().clean() or {}
        if not self.errors and cleaned.get("text"):
            plain = {"voice": "-", "audience": "-", "brief_hints": "-"}
            try:
                read_specs(plain | {"anti_patterns": [as_anti_pattern(cleaned)]})
            except ContractError as error:
                field = "pattern" if cleaned.get("pattern") else None
                self.add_error(field, error.message)
        return cleaned


AntiPatternRows = forms.formset_factory(
    AntiPatternForm, extra=1, can_delete=True, max_num=100, validate_max=True
)


class LaneForm(_LaneModelForm):
    """A lane with its bundle and options, as ordinary fields.

    Attributes:
        begin_with: id of the bundle version whose specs it begins with; empty for that in use.
    """

    begin_with = ""

    voice = SpecField(help_text="How it is written: person, tense, sentences, attribution.")
    audience = SpecField(help_text="Who reads it, what they know, what they do afterwards.")
    brief_hints = SpecField(help_text="Length, order, headings, directives of a piece.")
    note = forms.CharField(
        required=False, max_length=300, help_text="What this version changes, and why."
    )
    option_values = SpecField(
        label="Options",
        required=False,
        rows=6,
        help_text='What this lane sets at a step, as JSON: <code>{"ground": {"passes": 2}}</code>.',
    )
    options_note = forms.CharField(required=False, max_length=300, label="Note on the options")
    based_on = forms.IntegerField(widget=forms.HiddenInput, required=False)
    options_based_on = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Lane
        fields = LANE_FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        current, options = self._current()
        shown = self._begun_with() or current
        specs = specs_of(shown) if shown else None
        if shown is not None and shown != current:
            was_used = shown.uses.exists()
            begun = "Rolled back to version" if was_used else "Begun as draft"
            self.initial["note"] = f"{begun} {shown.version}."
        self.fields["option_values"].widget.attrs["class"] = "vLargeTextField mono"
        for name in SPEC_FIELDS:
            self.initial[name] = getattr(specs, name) if specs else ""
        self.initial["option_values"] = json.dumps(options.entries if options else {}, indent=2)
        self.initial["based_on"] = current.version if current else 0
        self.initial["options_based_on"] = options.version if options else 0
        self.anti_patterns = AntiPatternRows(
            self.data if self.is_bound else None,
            prefix="anti_patterns",
            initial=[p.model_dump() for p in specs.anti_patterns] if specs else [],
        )
        self.new_specs: Specs | None = None  # set by clean, where they differ
        self.new_options: dict[str, Any] | None = None

    @property
    def is_draft(self) -> bool:
        """Whether the versions are kept without being put to use."""
        return self.is_bound and "_draft" in self.data

    def clean(self) -> dict[str, Any]:
        """Find what changed, and refuse what does not fit or would undo another's save."""
        cleaned = super().clean() or {}
        if not self.anti_patterns.is_valid():
            self.add_error(None, "An anti-pattern does not fit; see its row.")
        if not self.errors:
            self._clean_specs(cleaned)
            self._clean_options(cleaned)
            self._clean_draft()
        return cleaned

    def _clean_draft(self) -> None:
        if self.is_draft and (told := [f for f in self.changed_data if f in LANE_FIELDS]):
            self.add_error(
                told[0],
                f"A draft holds bundle and options; {', '.join(told)} would be changed at once. "
                "Save that by itself first.",
            )

    def _clean_specs(self, cleaned: dict[str, Any]) -> None:
        rows = [
            as_anti_pattern(row)
            for row in self.anti_patterns.cleaned_data
            if row and row.get("text") and not row.get("DELETE")
        ]
        given = {name: cleaned[name] for name in SPEC_FIELDS} | {"anti_patterns": rows}
        try:
            specs = read_specs(given)
        except ContractError as error:
            field = error.path.split("[")[0]
            self.add_error(field if field in SPEC_FIELDS else None, error.message)
            return
        seen = self._seen("bundles", cleaned.get("based_on"))
        if seen is not None and specs_of(seen) == specs:
            return
        current = self._current()[0]
        if (current.version if current else 0) != (cleaned.get("based_on") or 0):
            self._tell("bundle", "based_on", current)
            return
        self.new_specs = specs

    def _clean_options(self, cleaned: dict[str, Any]) -> None:
        try:
            given = json.loads(cleaned.get("option_values") or "{}")
            prove_options(self._with_typed_values(cleaned), given)
        except (json.JSONDecodeError, RecursionError) as error:
            self.add_error("option_values", f"This is not JSON: {error}")
            return
        except ContractError as error:
            self.add_error("option_values", str(error))
            return
        seen = self._seen("options_versions", cleaned.get("options_based_on"))
        if given == (seen.entries if seen else {}):
            return
        current = self._current()[1]
        if (current.version if current else 0) != (cleaned.get("options_based_on") or 0):
            self._tell("options", "options_based_on", current)
            return
        self.new_options = given

    def _with_typed_values(self, cleaned: dict[str, Any]) -> Lane:
        typed = {name: cleaned.get(name) for name in ("title", "description", "hue")}
        return Lane(name=self.instance.name, graph=self.instance.graph, **typed)

    def _current(self) -> tuple[Bundle | None, Any]:
        if not self.instance.pk:
            return None, None
        # Read anew: another request may have saved since this one began. What is posted is
        # compared under the lane's row, which the page's transaction holds until it has saved.
        if self.is_bound:
            lock_lane(self.instance)
        lane = Lane.objects.select_related("bundle__author", "options__author").get(
            pk=self.instance.pk
        )
        return lane.bundle, lane.options

    def _begun_with(self) -> Bundle | None:
        given = self.begin_with
        if not self.instance.pk or not (given.isascii() and given.isdigit()):
            return None
        return self.instance.bundles.filter(pk=given).first()

    def _seen(self, versions: str, number: int | None) -> Any:
        if not self.instance.pk or not number:
            return None
        return getattr(self.instance, versions).filter(version=number).first()

    def _tell(self, what: str, hidden: str, current: Any) -> None:
        """Refuse this time; the page that comes back is based on the version in use."""
        who = current.author.get_username() if current.author else "a command"
        self.data = {**self.data.dict(), hidden: str(current.version)}  # type: ignore[attr-defined]
        self.add_error(
            None,
            ValidationError(
                f"Version {current.version} of the {what} was put to use by {who} while you "
                "edited. Nothing was saved and your text is still here; save again to make a "
                "version of it that replaces theirs."
            ),
        )


def as_anti_pattern(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as it is stored: without a pattern where none was given."""
    kept = {name: row[name] for name in ("text", "why", "severity")}
    return kept | ({"pattern": row["pattern"]} if row.get("pattern") else {})
