"""A lane made of another: its bundle, options and graph as version 1, with a note of the origin."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.db import transaction

from lanes.models import Lane
from lanes.specs import specs_of
from lanes.versions import save_bundle, save_graph, save_options
from publishing.models import Routine

if TYPE_CHECKING:
    _LaneModelForm = forms.ModelForm[Lane]
else:
    _LaneModelForm = forms.ModelForm


class LaneCopyForm(_LaneModelForm):
    """The row of the new lane; what it does is the origin's."""

    routines = forms.ModelMultipleChoiceField(
        queryset=Routine.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Routines that may post to it",
        help_text="Those of the lane that is copied; more can be let in at the routine's page.",
    )

    class Meta:
        model = Lane
        fields = ("name", "title", "description", "hue", "place")

    def __init__(self, data: Any, *, origin: Lane, may_scope: bool) -> None:
        """Begin with the origin's look.

        Args:
            data: what was posted.
            origin: the lane that is copied.
            may_scope: whether who asks may change what routines post to.
        """
        begin = {"hue": (origin.hue + 45) % 360, "place": origin.place + 1}
        super().__init__(data, initial=begin)
        field: Any = self.fields["routines"]
        field.queryset = origin.routines.all()
        if not may_scope or not field.queryset:
            del self.fields["routines"]


@transaction.atomic
def copy_lane(origin: Lane, form: LaneCopyForm, *, author: Any) -> Lane:
    """Make the lane of a valid form, with what the origin has in use; return it.

    Raises:
        ContractError: what the origin has does not fit any more; nothing is made.
    """
    made = form.save()
    note = f"Copied from {origin.name}: "
    options = origin.options.entries if origin.options else {}
    if origin.bundle:
        told = f"{note}bundle {origin.bundle.version}."
        save_bundle(made, specs_of(origin.bundle), author=author, note=told)
    if origin.graph:
        told = f"{note}graph {origin.graph.version}."
        entries, reason = origin.graph.entries, origin.graph.reason
        save_graph(made, entries, reason=reason, options=options, author=author, note=told)
    else:
        told = f"{note}options {origin.options.version}." if origin.options else ""
        save_options(made, options, author=author, note=told)
    made.routines.set(form.cleaned_data.get("routines", ()))
    return made
