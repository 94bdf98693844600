"""The graph editor's form: entries and options as text, and what is to be said of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django import forms

from lanes.compiler import Entries, Makeup
from lanes.models import Lane, LaneGraph
from lanes.plain_json import read_entries
from lanes.proofs import prove_own_graph
from lanes.rule import is_own_graph_worth_it
from lanes.spine import SPINE
from publishing.admin.bundle_form import SpecField
from publishing.admin.lane_page import GraphShown, show_graph
from publishing.admin.version_kinds import lines_of
from workflows.errors import ContractError


class GraphForm(forms.Form):
    """What an editor writes of a graph. Nothing is checked here: it is judged as a whole."""

    entries = SpecField(rows=14, required=False, label="Entries, as JSON")
    options = SpecField(
        rows=4,
        required=False,
        label="Options laid over them, as JSON",
        help_text="By entry; a change here is saved with the graph, as a version of its own.",
    )
    reason = forms.CharField(
        required=False,
        max_length=300,
        label="Reason for a graph of its own",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    note = forms.CharField(
        required=False,
        max_length=300,
        help_text="What this version changes, and why.",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    seen_options = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("entries", "options"):
            self.fields[name].widget.attrs |= {"class": "vLargeTextField mono",
                                               "spellcheck": "false"}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """What an editor wrote, as far as it could be read.

    Attributes:
        entries: None where the text is no list of entries.
        options: None where the text is no JSON.
        shown: how it is drawn, and what does not fit.
        fault: what would be refused; with its path.
        needs_reason: whether it is hardly different from the spine.
    """

    entries: Entries | None
    options: Any
    shown: GraphShown | None
    fault: ContractError | None
    needs_reason: bool = False


def begin(lane: Lane, version: LaneGraph | None) -> dict[str, Any]:
    """Return what the form begins with: the graph in use, or another version of it."""
    graph = version or lane.graph
    options = lane.options.entries if lane.options else {}
    return {
        "entries": lines_of(graph.entries if graph else SPINE),
        "options": json.dumps(options, indent=2, ensure_ascii=False),
        "reason": graph.reason if graph else "",
        "seen": str(lane.graph_id or 0),
        "seen_options": str(lane.options_id or 0),
    }


def judge(lane: Lane, written: Mapping[str, Any]) -> Judged:
    """Return what is to be said of the text: the first fault that a save would be refused for."""
    try:
        entries = _read(written["entries"], "graph.entries", "[]")
        options = _read(written["options"], "options", "{}")
    except ContractError as error:
        return Judged(None, None, None, error)
    made = replace(Makeup.of(lane), graph=entries, options=options)
    shown = show_graph(made, reason=written["reason"])
    fault = shown.fault
    if fault is None:
        fault = _refused(lane, entries, options, written["reason"])
    needs_reason = shown.distance is not None and not is_own_graph_worth_it(shown.distance)
    return Judged(_readable(entries), options, shown, fault, needs_reason and entries != SPINE)


def _readable(entries: Any) -> Entries | None:
    try:
        return read_entries(entries, path="graph.entries")
    except ContractError:  # it is the fault that is told
        return None


def _refused(lane: Lane, entries: Any, options: Any, reason: str) -> ContractError | None:
    try:
        prove_own_graph(lane, entries, reason=reason, options=options)
    except ContractError as error:
        return error
    return None


def _read(text: str, path: str, empty: str) -> Any:
    try:
        return json.loads(text.strip() or empty)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise ContractError(path, f"is not JSON at {at}: {error.msg}") from None
    except RecursionError:
        raise ContractError(path, "is nested too deep to be read") from None
