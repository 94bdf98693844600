"""The lane's page: what is in use, how far it is from the spine, what runs and what it cost."""

from typing import Any

import pytest
from django.test import Client

from lanes.compiler import Makeup, compile_makeup
from lanes.distance import distance_from_spine
from lanes.models import Lane, LaneGraph
from lanes.spine import SPINE, WORKFLOW
from lanes.versions import draft_bundle, save_graph, specs_of
from publishing.admin.graph_drawing import draw
from publishing.admin.graph_rows import Row, rows_of_plan
from tests.lanes.broken_graphs import research, swapped
from tests.publishing.admin.conftest import errored, person, signed_in
from tests.publishing.articles import make_article
from tests.publishing.spending import call_row
from workflows.graphs import wire_graph
from workflows.models import Instance, Status

pytestmark = pytest.mark.django_db


def address_of(lane: Lane, page: str = "page/") -> str:
    return f"/admin/lanes/lane/{lane.pk}/{page}"


def seen(client: Client, lane: Lane) -> str:
    answer = client.get(address_of(lane))
    assert answer.status_code == 200
    return answer.content.decode()


def rows_of(graph: list[dict[str, Any]]) -> list[Row]:
    """Return the rows of a graph by its contracts alone, with the lane's values in it."""
    trial = Lane(name="trial", title="Trial", hue=25)
    filled = compile_makeup(Makeup(trial, graph, {}))
    return rows_of_plan(wire_graph(filled, workflow=WORKFLOW), distance_from_spine(graph))


def marks(rows: list[Row]) -> dict[str, str]:
    return {row.name: str(row.mark) for row in rows if row.mark}


def test_it_shows_the_specs_the_graph_and_the_verdict(editor: Client, lane: Lane) -> None:
    page = seen(editor, lane)
    for words in ("Plain.<br>Short.", "It tires.", "Readers.", "the spine", "Distance 0",
                  "Stay on the spine: nothing about the work changed.",
                  "takes Brief, Grounded of ground"):  # fmt: skip
        assert words in page


def test_a_graph_of_its_own_is_shown_with_its_distance(editor: Client, lane: Lane) -> None:
    save_graph(lane, research())
    page = seen(editor, lane)
    assert "<strong>Distance 2</strong>: deepen added, second_look added." in page
    assert "Own graph (2 stages)." in page


def test_each_way_to_differ_is_marked_by_word_and_shape() -> None:
    stand_in = {"step": "plugin_measure"}
    rows = {
        "added": rows_of(research()),
        "moved": rows_of(swapped("index", "cover")),
        "replaces publish": rows_of([*SPINE[:-1], stand_in]),
        "removed": rows_of(SPINE[:-1]),
    }
    assert {word: marks(found) for word, found in rows.items()} == {
        "added": {"deepen": "added", "second_look": "added"},
        "moved": {"cover": "moved"},
        "replaces publish": {"plugin_measure": "replaces publish"},
        "removed": {"publish": "removed"},
    }
    shapes = [row.mark.shape for found in rows.values() for row in found if row.mark]
    assert shapes == ["+", "+", "↕", "⇄", "−"]


def test_a_stage_that_is_left_out_stands_where_the_spine_has_it() -> None:
    without = [entry for entry in SPINE if entry.get("step") not in ("index", "publish")]
    assert [row.name for row in rows_of(without)] == [
        "validate", "ground", "generate", "clean", "persist", "index", "cover", "publish",
        "publish_at",
    ]  # fmt: skip


def test_each_wire_leads_from_the_latest_provider() -> None:
    rows = rows_of(research())
    drawing = draw(rows)
    names = [row.name for row in rows]
    generate = rows[names.index("generate")]
    assert [names[place] for place in generate.feeders] == ["deepen"]
    assert "deepen feeds generate" in [wire.title for wire in drawing.wires]
    assert len(drawing.wires) == sum(len(row.feeders) for row in rows)
    assert drawing.width <= 340  # a telephone's, unscaled


def test_what_runs_what_it_cost_and_what_was_written_is_told(lane: Lane) -> None:
    errored("a", status=Status.WAITING, reason="operator", partition="trial")
    errored("b", partition="trial")
    call_row("b1", lane="trial", cost_micros=7_000)
    article = make_article("A size", lane=lane)
    page = seen(signed_in(_superuser()), lane)
    open_count = Instance.objects.filter(partition="trial", status__lt=Status.ERRORED).count()
    link = f'?partition=trial&amp;status=open">{open_count}</a>'
    assert link in page
    assert page.count("$0.007") == 2
    assert f"/admin/publishing/article/{article.pk}/change/" in page


def test_the_list_of_open_instances_holds_those_that_have_not_ended(lane: Lane) -> None:
    errored("a", status=Status.WAITING, reason="operator", partition="trial")
    errored("b", partition="trial")
    client = signed_in(_superuser())
    page = client.get("/admin/workflows/instance/?partition=trial&status=open").content.decode()
    assert ("trial-a" in page, "trial-b" in page) == (True, False)


def test_a_lane_that_cannot_be_run_is_shown_with_its_fault(editor: Client, lane: Lane) -> None:
    broken = LaneGraph.objects.create(lane=lane, version=1, entries=swapped("ground", "generate"))
    Lane.objects.filter(pk=lane.pk).update(graph=broken)
    page = seen(editor, lane)
    assert "graph.entries[1].grounded" in page
    assert "✕ does not fit" in page


def test_drafts_and_uses_stand_in_the_list_of_versions(editor: Client, lane: Lane) -> None:
    assert lane.bundle is not None
    draft_bundle(lane, specs_of(lane.bundle), note="A try.")
    page = seen(editor, lane)
    assert ("A try." in page, "</span> draft</span>" in page) == (True, True)
    versions = editor.get(address_of(lane)).context["page"].tables[0].rows
    assert [(row.version.version, row.in_use, row.is_draft) for row in versions] == [
        (2, False, True),
        (1, True, False),
    ]


@pytest.mark.parametrize("page", ["page/", "graph/", "compare/bundle/", "preview/"])
def test_who_may_see_lanes_sees_the_pages_and_nobody_else_does(lane: Lane, page: str) -> None:
    viewer = signed_in(person("vera", "lanes.view_lane"))
    stranger = signed_in(person("nora", "publishing.view_article"))
    shown = viewer.get(address_of(lane, page))
    assert (shown.status_code, stranger.get(address_of(lane, page)).status_code) == (200, 403)
    assert 'name="_use"' not in shown.content.decode()
    assert Client().get(address_of(lane, page)).status_code == 302


def test_an_instance_names_the_versions_that_it_was_made_with(lane: Lane) -> None:
    article = make_article("A size", lane=lane)
    client = signed_in(_superuser())
    for page in (
        f"/admin/publishing/article/{article.pk}/change/",
        f"/admin/workflows/instance/{article.brief.instance_id}/change/",
    ):
        assert f"/admin/lanes/bundle/{article.brief.bundle_id}/change/" in (
            client.get(page).content.decode()
        )


def _superuser() -> Any:
    user = person("super")
    user.is_superuser = True
    user.save()
    return user
