"""A lane made of another: its own version 1 of everything, with a note of where it came from."""

import pytest
from django.test import Client

from lanes.models import Lane
from lanes.selection import compile_entries, plan_for
from lanes.versions import save_graph, save_options, specs_of
from publishing.models import Routine
from tests.lanes.broken_graphs import research
from tests.publishing.admin.conftest import person, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("prices")]
GIVEN = {"name": "music", "title": "Music", "hue": "70", "place": "4"}


def address_of(lane: Lane) -> str:
    return f"/admin/lanes/lane/{lane.pk}/copy/"


def test_a_copy_has_what_the_origin_uses_and_takes_briefs(editor: Client, lane: Lane) -> None:
    save_graph(lane, research(), options={"deepen": {"passes": 1}})
    said = editor.post(address_of(lane), GIVEN, follow=True).content.decode()

    assert "Music takes briefs from now on." in said
    made = Lane.objects.get(name="music")
    assert made.bundle is not None
    assert made.graph is not None
    assert made.options is not None
    assert lane.bundle is not None
    assert specs_of(made.bundle) == specs_of(lane.bundle)
    assert (made.bundle.version, made.graph.version, made.options.version) == (1, 1, 1)
    assert made.bundle.note == "Copied from trial: bundle 1."
    assert made.graph.note == made.options.note == "Copied from trial: graph 1."
    assert plan_for(made).graph.entries == compile_entries(made)
    assert [e.get("name") for e in made.graph.entries] == [e.get("name") for e in research()]


def test_a_copy_of_a_lane_on_the_spine_has_its_options(editor: Client, lane: Lane) -> None:
    save_options(lane, {"ground": {"passes": 2}})
    editor.post(address_of(lane), GIVEN)
    made = Lane.objects.get(name="music")
    assert made.options is not None
    assert (made.graph, made.options.entries) == (None, {"ground": {"passes": 2}})
    assert made.options.note == "Copied from trial: options 2."


def test_a_name_that_is_taken_makes_nothing(editor: Client, lane: Lane) -> None:
    answer = editor.post(address_of(lane), GIVEN | {"name": "trial"})
    assert "already exists" in answer.content.decode()
    assert Lane.objects.count() == 1


def test_routines_are_let_in_by_those_who_may_change_routines(lane: Lane) -> None:
    routine = Routine.objects.create(name="desk")
    routine.lanes.add(lane)
    may = ("lanes.add_lane", "lanes.change_lane")
    given = GIVEN | {"routines": str(routine.pk)}

    signed_in(person("edna", *may)).post(address_of(lane), given)
    assert list(routine.lanes.values_list("name", flat=True)) == ["trial"]
    chief = signed_in(person("carla", *may, "publishing.change_routine"))
    chief.post(address_of(lane), given | {"name": "opera"})
    assert set(routine.lanes.values_list("name", flat=True)) == {"trial", "opera"}


def test_who_may_add_no_lane_copies_none(lane: Lane) -> None:
    client = signed_in(person("vera", "lanes.view_lane", "lanes.change_lane"))
    assert client.post(address_of(lane), GIVEN).status_code == 403
    assert Lane.objects.count() == 1
