"""The graph editor: what does not fit is told beside its text, and nothing typed is lost."""

import json
from typing import Any

import pytest
from django.test import Client

from lanes.models import Lane, LaneGraph, LaneOptions
from lanes.spine import SPINE
from lanes.versions import save_graph
from publishing.admin.entry_form import EntryForm
from tests.lanes.broken_graphs import BROKEN, Broken, research
from tests.publishing.admin.conftest import person, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("prices")]
ASKED = {"add-kind": "prompt", "add-name": "second_look", "add-place": "4"}
TEMPLATE = {"add-option-template": "Is {{ draft.body }} fair?"}
every_broken_graph = pytest.mark.parametrize(
    "broken", [b for b in BROKEN if b.entries is not None], ids=lambda broken: broken.name
)


def address_of(lane: Lane) -> str:
    return f"/admin/lanes/lane/{lane.pk}/graph/"


def begun(client: Client, lane: Lane, **changed: str) -> dict[str, str]:
    """Return what a browser would post from the editor."""
    form = client.get(address_of(lane)).context["form"]
    return {name: form[name].value() or "" for name in form.fields} | changed


def posted(client: Client, lane: Lane, button: str, data: dict[str, str]) -> Any:
    return client.post(address_of(lane), data | {button: "1"}, follow=True)


def typed(answer: Any) -> list[dict[str, Any]]:
    return list(json.loads(answer.context["form"]["entries"].value()))


@every_broken_graph
def test_a_broken_graph_is_refused_with_its_path_and_its_text_stays(
    editor: Client, lane: Lane, broken: Broken
) -> None:
    text = json.dumps(broken.entries)
    data = begun(editor, lane, entries=text, options=json.dumps(broken.options))
    for button in ("_use", "_draft", "_check"):
        answer = posted(editor, lane, button, data)
        fault = answer.context["judged"].fault
        assert fault.path == broken.path
        assert broken.words in fault.message
        assert answer.context["form"]["entries"].value() == text
        assert broken.path in answer.content.decode()
    assert not LaneGraph.objects.exists()
    assert LaneOptions.objects.count() == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[{]", "is not JSON at line 1, column 3"),
        ('{"step": "validate"}', "is a list of entries"),
        ("[1]", "is an object, such as"),
        ('[{"step": ["validate"]}]', "is the name of a step"),
        ('[{"step": "\\ud800"}]', "half a character"),
        ("[" * 100_000, "is nested too deep"),
        ("", "has no entries"),
    ],
)
def test_text_that_is_no_graph_is_told_and_stays(
    editor: Client, lane: Lane, text: str, said: str
) -> None:
    answer = posted(editor, lane, "_use", begun(editor, lane, entries=text))
    assert said in answer.context["judged"].fault.message
    assert answer.context["form"]["entries"].value() == text
    assert not LaneGraph.objects.exists()


def test_a_step_is_composed_from_its_options_and_stands_in_the_text(
    editor: Client, lane: Lane
) -> None:
    offered = posted(editor, lane, "_choose", begun(editor, lane) | ASKED)
    fields = [field.name for field in offered.context["add"].option_fields]
    assert {"option-template", "option-max_tokens", "option-economy"} <= set(fields)
    assert "option-template" in offered.content.decode()

    data = begun(editor, lane) | ASKED | TEMPLATE | {"add-option-max_tokens": "2000"}
    entries = typed(posted(editor, lane, "_add", data))
    made = {"step": "prompt", "name": "second_look",
            "options": {"template": "Is {{ draft.body }} fair?"}}  # fmt: skip
    assert entries == [*SPINE[:4], made, *SPINE[4:]]
    assert not LaneGraph.objects.exists()


def test_an_option_that_is_missing_is_told_at_its_field(editor: Client, lane: Lane) -> None:
    answer = posted(editor, lane, "_add", begun(editor, lane) | ASKED)
    assert "This field is required." in answer.content.decode()
    assert typed(answer) == SPINE


def test_what_was_not_shown_or_touched_stays_as_by_default() -> None:
    alone = EntryForm({"add-kind": "ground", "add-place": "0"}, entries=SPINE)
    asked = {"add-kind": "prompt", "add-option-template": "One.\r\nTwo.",
             "add-option-economy": "yes", "add-place": "0"}  # fmt: skip
    chosen = EntryForm(asked, entries=SPINE)
    assert (alone.is_valid(), chosen.is_valid()) == (True, True)
    assert alone.entry() == {"step": "ground"}
    options = {"template": "One.\nTwo.", "economy": True}
    assert chosen.entry() == {"step": "prompt", "options": options}


@pytest.mark.parametrize(
    ("given", "entry"),
    [
        ({"add-kind": "wait", "add-option-wait": "approval", "add-option-timeout": "60",
          "add-option-on_timeout": "error"}, {"wait": "approval", "timeout": 60.0}),
        ({"add-kind": "sleep", "add-name": "rest", "add-option-sleep": "60"},
         {"name": "rest", "sleep": 60.0}),
        ({"add-kind": "until", "add-name": "later", "add-option-until": "/brief/publish_at"},
         {"name": "later", "until": "/brief/publish_at"}),
    ],
)  # fmt: skip
def test_waits_are_composed_too(given: dict[str, str], entry: dict[str, Any]) -> None:
    form = EntryForm(given | {"add-place": "0"}, entries=SPINE)
    assert form.is_valid(), form.errors
    assert form.entry() == entry


def test_one_more_stage_takes_a_reason_and_with_it_is_used(editor: Client, lane: Lane) -> None:
    added = posted(editor, lane, "_add", begun(editor, lane) | ASKED | TEMPLATE)
    data = begun(editor, lane, entries=added.context["form"]["entries"].value())
    told = posted(editor, lane, "_use", data)
    assert "Distance 1: use this option, or give a reason." in told.content.decode()
    assert "Reason for a graph of its own" in told.content.decode()
    assert not LaneGraph.objects.exists()

    said = posted(editor, lane, "_use", data | {"reason": "A second look."}).content.decode()
    assert "Graph 1 is used for briefs from now on; no instance is open." in said
    lane.refresh_from_db()
    assert lane.graph is not None
    assert lane.graph.author is not None
    assert (lane.graph.reason, lane.graph.author.get_username()) == ("A second look.", "edna")


def test_above_the_threshold_no_reason_is_asked(editor: Client, lane: Lane) -> None:
    data = begun(editor, lane, entries=json.dumps(research()), note="Deeper.")
    checked = posted(editor, lane, "_check", data).content.decode()
    assert "Reason for a graph" not in checked
    assert "<strong>Distance 2</strong>" in checked
    posted(editor, lane, "_use", data)
    assert LaneGraph.objects.get(current_of=lane).note == "Deeper."


def test_a_draft_is_kept_beside_the_graph_in_use(editor: Client, lane: Lane) -> None:
    said = posted(editor, lane, "_draft", begun(editor, lane, entries=json.dumps(research())))
    assert "Graph 1 is kept as a draft; nothing else changed." in said.content.decode()
    lane.refresh_from_db()
    assert (lane.graph_id, LaneGraph.objects.count()) == (None, 1)


def test_options_that_were_changed_are_saved_with_the_graph(editor: Client, lane: Lane) -> None:
    options = '{"deepen": {"passes": 1}}'
    data = begun(editor, lane, entries=json.dumps(research()), options=options)
    posted(editor, lane, "_use", data)
    lane = Lane.objects.get(pk=lane.pk)
    assert lane.options is not None
    assert (lane.options.version, lane.options.entries) == (2, {"deepen": {"passes": 1}})


def test_of_two_editors_the_second_is_told_and_keeps_the_text(editor: Client, lane: Lane) -> None:
    text = json.dumps(research(clean={"options": {"words_least": 9}}))
    mine = begun(editor, lane, entries=text)
    save_graph(lane, research(), author=person("otto"))

    told = posted(editor, lane, "_use", mine)
    assert "Version 1 of the graph was put to use by otto meanwhile" in told.content.decode()
    assert told.context["form"]["entries"].value() == text
    assert LaneGraph.objects.count() == 1

    form = told.context["form"]
    posted(editor, lane, "_use", {name: form[name].value() or "" for name in form.fields})
    lane.refresh_from_db()
    assert lane.graph is not None
    assert (lane.graph.version, lane.graph.entries) == (2, json.loads(text))


def test_a_lane_is_put_back_on_the_spine_if_nobody_was_faster(editor: Client, lane: Lane) -> None:
    save_graph(lane, research())
    first = lane.graph_id
    save_graph(lane, research(), note="Again.")
    address = f"/admin/lanes/lane/{lane.pk}/spine/"

    late = editor.post(address, {"seen": str(first)}, follow=True).content.decode()
    assert "Version 2 of the graph was put to use by a command meanwhile" in late
    assert Lane.objects.get(pk=lane.pk).graph_id == lane.graph_id

    said = editor.post(address, {"seen": str(lane.graph_id)}, follow=True).content.decode()
    assert "Trial is on the spine from now on" in said
    assert Lane.objects.get(pk=lane.pk).graph_id is None


def test_a_viewer_saves_no_graph(lane: Lane) -> None:
    viewer = signed_in(person("vera", "lanes.view_lane"))
    data = begun(viewer, lane, entries=json.dumps(research()))
    assert posted(viewer, lane, "_use", data).status_code == 403
    assert viewer.post(f"/admin/lanes/lane/{lane.pk}/spine/", {"seen": "0"}).status_code == 403
    assert not LaneGraph.objects.exists()
