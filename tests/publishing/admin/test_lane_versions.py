"""Versions: kept as drafts, put to use, rolled back, compared; two editors at once are told."""

from typing import Any

import pytest
from django.test import Client

from lanes.models import Bundle, Lane, LaneGraph
from lanes.storing import AnyVersion
from lanes.versions import draft_bundle, save_bundle, save_graph, save_options, specs_of
from publishing.admin.comparing import compare
from tests.lanes.broken_graphs import research
from tests.publishing.admin.conftest import person, signed_in
from tests.publishing.admin.test_lanes import form_of, page_of

pytestmark = pytest.mark.django_db


def act(client: Client, version: AnyVersion, verb: str, seen: int | None) -> Any:
    model = type(version).__name__.lower()
    address = f"/admin/lanes/{model}/{version.pk}/{verb}/"
    return client.post(address, {"seen": str(seen or 0)}, follow=True)


def dry(lane: Lane) -> Bundle:
    """Put a second version to use; return the first."""
    first = lane.bundle
    assert first is not None
    save_bundle(lane, specs_of(first).model_copy(update={"voice": "Dry."}))
    lane.refresh_from_db()
    return first


def test_a_draft_is_kept_and_what_is_in_use_stays(editor: Client, lane: Lane) -> None:
    data = form_of(editor, page_of(lane)) | {"voice": "Tried.", "note": "A try.", "_draft": "1"}
    said = editor.post(page_of(lane), data, follow=True).content.decode()

    assert "Bundle 2: kept as a draft; what is in use stays." in said
    draft = Bundle.objects.get(lane=lane, version=2)
    lane.refresh_from_db()
    assert (draft.voice, draft.note, lane.bundle_id == draft.pk) == ("Tried.", "A try.", False)
    assert not draft.uses.exists()

    act(editor, draft, "use", lane.bundle_id)
    lane.refresh_from_db()
    assert lane.bundle_id == draft.pk


def test_a_draft_never_changes_the_lanes_own_row(editor: Client, lane: Lane) -> None:
    data = form_of(editor, page_of(lane)) | {"voice": "New.", "title": "New", "_draft": "1"}
    said = editor.post(page_of(lane), data).content.decode()

    assert "title would be changed at once" in said
    lane.refresh_from_db()
    assert (lane.title, lane.bundles.count()) == ("Trial", 1)


def test_a_roll_back_is_a_new_version_that_names_the_old(editor: Client, lane: Lane) -> None:
    first = dry(lane)
    said = act(editor, first, "roll-back", lane.bundle_id).content.decode()

    assert "Bundle 3 is used for briefs from now on: it says what version 1 said" in said
    lane.refresh_from_db()
    assert lane.bundle is not None
    assert (lane.bundle.version, lane.bundle.voice) == (3, "Plain.\nShort.")
    assert lane.bundle.note == "Rolled back to version 1."


def test_an_edit_from_an_old_version_begins_with_its_text_and_note(
    editor: Client, lane: Lane
) -> None:
    first = dry(lane)
    address = f"{page_of(lane)}?from={first.pk}"
    data = form_of(editor, address)
    assert (data["voice"], data["note"]) == ("Plain.\r\nShort.", "Rolled back to version 1.")

    editor.post(address, data)
    lane.refresh_from_db()
    assert lane.bundle is not None
    assert (lane.bundle.version, lane.bundle.voice) == (3, "Plain.\nShort.")


@pytest.mark.parametrize("verb", ["use", "roll-back"])
def test_an_act_on_what_was_replaced_meanwhile_is_refused_and_told(
    editor: Client, lane: Lane, verb: str
) -> None:
    first = dry(lane)
    seen = lane.bundle_id
    save_bundle(lane, specs_of(first), author=person("otto"))
    said = act(editor, first, verb, seen).content.decode()

    assert "Version 3 of the bundle was put to use by otto meanwhile. Nothing changed" in said
    lane.refresh_from_db()
    assert lane.bundle is not None
    assert (lane.bundle.version, lane.bundles.count()) == (3, 3)


def test_a_graph_that_no_longer_fits_is_not_put_to_use(editor: Client, lane: Lane) -> None:
    broken = LaneGraph.objects.create(lane=lane, version=1, entries=[{"step": "gone"}])
    said = act(editor, broken, "use", None).content.decode()
    assert "no step has this name" in said
    lane.refresh_from_db()
    assert lane.graph_id is None


@pytest.mark.parametrize("verb", ["use", "roll-back"])
def test_a_viewer_acts_on_no_version(lane: Lane, verb: str) -> None:
    first = dry(lane)
    viewer = signed_in(person("vera", "lanes.view_lane"))
    assert viewer.get(f"/admin/lanes/bundle/{first.pk}/change/").status_code == 200
    assert act(viewer, first, verb, lane.bundle_id).status_code == 403
    assert lane.bundles.count() == 2


def test_two_versions_stand_side_by_side_with_their_words_marked(
    editor: Client, lane: Lane
) -> None:
    first = dry(lane)
    draft_bundle(lane, specs_of(first).model_copy(update={"voice": "Plain <b>and</b> short."}))
    page = editor.get(f"/admin/lanes/lane/{lane.pk}/compare/bundle/?old=2&new=3").content.decode()
    assert "<del>Dry</del>" in page
    assert "&lt;" in page
    assert "<b>and" not in page


def test_a_changed_line_is_marked_word_by_word_and_an_equal_one_is_not() -> None:
    old = [("Voice", ["Stay.", "Write plain words."])]
    new = [("Voice", ["Stay.", "Write few words.", "End."])]
    (section,) = compare(old, new)
    assert [(str(s.old), str(s.new), s.is_changed) for s in section.sides] == [
        ("Stay.", "Stay.", False),
        ("Write <del>plain</del> words.", "Write <ins>few</ins> words.", True),
        ("", "<ins>End.</ins>", True),
    ]


def test_options_and_graphs_are_compared_entry_by_entry(editor: Client, lane: Lane) -> None:
    save_options(lane, {"ground": {"passes": 2}})
    save_graph(lane, research())
    base = f"/admin/lanes/lane/{lane.pk}/compare"
    options = editor.get(f"{base}/options/?old=1&new=2").content.decode()
    graphs = editor.get(f"{base}/graph/?old=0&new=1").content.decode()
    assert "<ins>ground.passes = 2</ins>" in options
    assert "&quot;name&quot;: &quot;second_look&quot;" in graphs
    assert editor.get(f"{base}/graph/?old=0&new=9").status_code == 404
    assert editor.get(f"{base}/prices/").status_code == 404
