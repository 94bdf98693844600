"""Lanes and bundles in the admin: a save makes a version, and what runs keeps its own."""

from typing import Any

import pytest
from django.test import Client

from lanes.models import Bundle, Lane, LaneOptions
from lanes.selection import compile_entries, plan_for
from lanes.versions import read_specs, save_bundle, save_graph, specs_of
from publishing.models import Brief
from tests.lanes.broken_graphs import research
from tests.publishing.admin.conftest import errored, person, signed_in
from workflows.models import Instance, Status

pytestmark = pytest.mark.django_db
LIST = "/admin/lanes/lane/"


def form_of(client: Client, address: str) -> dict[str, Any]:
    """Return what a browser would post if nothing were touched."""
    form = client.get(address).context["adminform"].form
    data = {field.html_name: "" if field.value() is None else field.value() for field in form}
    rows = form.anti_patterns
    for part in [rows.management_form, *rows.forms]:
        for field in part:
            data[field.html_name] = "" if field.value() is None else field.value()
    # Browsers send line ends as CR LF.
    return {
        k: v.replace("\n", "\r\n") if isinstance(v, str) else v
        for k, v in data.items()
        if v is not False
    }


def page_of(lane: Lane) -> str:
    return f"{LIST}{lane.pk}/change/"


def versions_of(lane: Lane) -> list[int]:
    return sorted(Bundle.objects.filter(lane=lane).values_list("version", flat=True))


def test_saving_without_a_change_makes_no_version(editor: Client, lane: Lane) -> None:
    answer = editor.post(page_of(lane), form_of(editor, page_of(lane)))

    assert answer.status_code == 302
    assert versions_of(lane) == [1]
    assert LaneOptions.objects.filter(lane=lane).count() == 1


def test_saving_a_change_makes_a_version_that_is_used_from_now_on(
    editor: Client, lane: Lane
) -> None:
    waiting = errored("a", status=Status.WAITING, reason="operator", partition="trial")
    plan = plan_for(lane)
    data = form_of(editor, page_of(lane)) | {"voice": "Dry.\r\nShort.", "note": "Drier."}
    answer = editor.post(page_of(lane), data, follow=True)

    said = "Bundle 2 is used for briefs from now on; 1 open instance keeps its own."
    assert said in answer.content.decode()
    lane.refresh_from_db()
    assert lane.bundle is not None
    assert lane.bundle.author is not None
    assert (lane.bundle.version, lane.bundle.voice) == (2, "Dry.\nShort.")
    assert (lane.bundle.note, lane.bundle.author.get_username()) == ("Drier.", "edna")
    assert specs_of(lane.bundle).anti_patterns == specs_of(plan.bundle).anti_patterns
    assert (plan.bundle.version, Instance.objects.get(pk=waiting.pk).fence) == (1, waiting.fence)


def test_a_title_alone_changes_the_lane_and_makes_no_version(editor: Client, lane: Lane) -> None:
    editor.post(page_of(lane), form_of(editor, page_of(lane)) | {"title": "Tried"})
    lane.refresh_from_db()
    assert (lane.title, versions_of(lane)) == ("Tried", [1])


def test_an_editor_is_told_once_of_a_version_that_was_saved_meanwhile(
    editor: Client, lane: Lane
) -> None:
    data = form_of(editor, page_of(lane)) | {"voice": "Mine."}
    theirs = {"voice": "Theirs.", "audience": "Readers.", "brief_hints": "Short."}
    save_bundle(lane, read_specs(theirs), author=person("otto"))

    told = editor.post(page_of(lane), data)
    assert "Version 2 of the bundle was put to use by otto while you edited" in (
        told.content.decode().replace("&#x27;", "'")
    )
    assert versions_of(lane) == [1, 2]

    again = {"based_on": told.context["adminform"].form["based_on"].value()}
    editor.post(page_of(lane), data | again)
    lane.refresh_from_db()
    assert lane.bundle is not None
    assert (lane.bundle.version, lane.bundle.voice) == (3, "Mine.")


def test_saving_another_field_leaves_a_version_that_was_saved_meanwhile_in_use(
    editor: Client, lane: Lane
) -> None:
    data = form_of(editor, page_of(lane)) | {"title": "Tried"}
    theirs = {"voice": "Theirs.", "audience": "Readers.", "brief_hints": "Short."}
    save_bundle(lane, read_specs(theirs))
    editor.post(page_of(lane), data)

    lane.refresh_from_db()
    assert lane.bundle is not None
    assert (lane.title, lane.bundle.version) == ("Tried", 2)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"voice": "  "}, "is empty; write at least a sentence"),
        ({"anti_patterns-0-pattern": "("}, "is no regular expression"),
        ({"anti_patterns-0-severity": "loud"}, "Select a valid choice"),
        ({"option_values": "{"}, "This is not JSON"),
        ({"option_values": '{"ground": {"passes": "x"}}'}, "ground.passes: "),
        ({"option_values": '{"gruond": {}}'}, "gruond: no step has this name"),
        ({"hue": "400"}, "less than or equal to 359"),
    ],
)
def test_what_does_not_fit_is_said_at_its_place_and_nothing_is_saved(
    editor: Client, lane: Lane, wrong: dict[str, str], said: str
) -> None:
    data = form_of(editor, page_of(lane)) | {"audience": "Others."} | wrong
    answer = editor.post(page_of(lane), data)

    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert versions_of(lane) == [1]
    assert LaneOptions.objects.count() == 1


def test_anti_patterns_are_added_and_removed_by_rows(editor: Client, lane: Lane) -> None:
    data = form_of(editor, page_of(lane)) | {
        "anti_patterns-0-DELETE": "on",
        "anti_patterns-1-text": "Lists of ten.",
        "anti_patterns-1-why": "Nobody finishes them.",
        "anti_patterns-1-severity": "warn",
    }
    editor.post(page_of(lane), data)

    lane.refresh_from_db()
    assert lane.bundle is not None
    assert [(row.text, row.why, row.severity) for row in lane.bundle.anti_patterns.all()] == [
        ("Lists of ten.", "Nobody finishes them.", "warn")
    ]


def test_options_are_a_version_of_their_own(editor: Client, lane: Lane) -> None:
    data = form_of(editor, page_of(lane)) | {"option_values": '{"ground": {"passes": 2}}'}
    editor.post(page_of(lane), data)

    lane = Lane.objects.get(pk=lane.pk)
    assert lane.options is not None
    assert (lane.options.version, versions_of(lane)) == (2, [1])
    ground = next(e for e in compile_entries(lane) if e.get("step") == "ground")
    assert ground["options"] == {"passes": 2}


def test_a_lane_that_is_added_has_a_plan_at_once(editor: Client) -> None:
    data = form_of(editor, f"{LIST}add/") | {
        "name": "music", "title": "Music", "voice": "Plain.", "audience": "Ears.",
        "brief_hints": "Short.",
    }  # fmt: skip
    assert editor.post(f"{LIST}add/", data).status_code == 302
    assert plan_for(Lane.objects.get(name="music")).bundle.version == 1


def test_the_name_of_a_lane_stays(editor: Client, lane: Lane) -> None:
    editor.post(page_of(lane), form_of(editor, page_of(lane)) | {"name": "renamed"})
    lane.refresh_from_db()
    assert lane.name == "trial"


def test_a_version_is_shown_and_cannot_be_changed(editor: Client, lane: Lane) -> None:
    address = f"/admin/lanes/bundle/{lane.bundle_id}/change/"
    shown = editor.get(address).content.decode()
    assert "Plain.<br>Short." in shown
    assert "It tires." in shown
    assert editor.post(address, {"voice": "Rewritten."}).status_code == 403


def test_an_older_version_is_put_to_use_again_by_a_post(editor: Client, lane: Lane) -> None:
    first = lane.bundle
    assert first is not None
    save_bundle(lane, read_specs(specs_of(first).model_dump() | {"voice": "Dry."}))
    address = f"/admin/lanes/bundle/{first.pk}/use/"

    assert editor.get(address).status_code == 405
    editor.post(address, {"seen": str(Lane.objects.get(pk=lane.pk).bundle_id)})
    lane.refresh_from_db()
    assert lane.bundle_id == first.pk
    used = first.uses.latest("used_at")
    assert (used.author and used.author.get_username(), first.uses.count()) == ("edna", 2)


def test_a_graph_of_its_own_is_shown_and_options_are_proved_against_it(lane: Lane) -> None:
    save_graph(lane, research(), note="Deeper.")
    client = signed_in(
        person("edna", "lanes.change_lane", "lanes.view_lane", "lanes.view_lanegraph")
    )
    shown = client.get(f"/admin/lanes/lanegraph/{lane.graph_id}/change/").content.decode()
    assert ("Deeper." in shown, "&quot;deepen&quot;" in shown) == (True, True)

    data = form_of(client, page_of(lane)) | {"option_values": '{"deepen": {"passes": 1}}'}
    assert client.post(page_of(lane), data).status_code == 302
    lane = Lane.objects.get(pk=lane.pk)
    assert lane.options is not None
    assert lane.options.entries == {"deepen": {"passes": 1}}


@pytest.mark.parametrize("permissions", [(), ("lanes.view_bundle", "lanes.view_lane")])
def test_who_may_not_change_lanes_changes_none(lane: Lane, permissions: tuple[str, ...]) -> None:
    save_bundle(lane, read_specs({"voice": "Dry.", "audience": "R.", "brief_hints": "S."}))
    first = Bundle.objects.get(lane=lane, version=1)
    client = signed_in(person("nora", *permissions))

    assert client.post(page_of(lane), {"title": "Taken"}).status_code == 403
    assert client.post(f"/admin/lanes/bundle/{first.pk}/use/").status_code == 403
    lane.refresh_from_db()
    assert (lane.title, lane.bundle_id != first.pk) == ("Trial", True)


def test_nobody_reaches_lanes_without_signing_in(lane: Lane) -> None:
    for address in (LIST, page_of(lane), f"/admin/lanes/bundle/{lane.bundle_id}/use/"):
        assert Client().post(address).status_code == 302
    assert Brief.objects.count() == 0
