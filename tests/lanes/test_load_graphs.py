"""Graphs of lanes in their file: loaded once, with the options for them, and written back."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from lanes.models import Lane, LaneGraph
from lanes.toml import write_lanes
from lanes.versions import save_graph, save_options, use_spine
from tests.lanes.broken_graphs import research, swapped
from tests.lanes.test_load_lanes import counts, file, run

__all__ = ["file"]  # the fixture

pytestmark = pytest.mark.django_db


def with_graph(entries: list[dict[str, Any]], *, reason: str = "", **options: Any) -> str:
    """Return the lane's file with a graph of its own."""
    specs = {"voice": "Plain.", "audience": "Readers.", "brief_hints": "Short."}
    said = {"reason": reason} if reason else {}
    return write_lanes(
        [
            {"name": "news", "title": "News", "hue": 25, "bundle": specs, "options": options}
            | {"graph": said | {"entries": entries}}
        ]
    )


def in_use() -> tuple[Any, Any]:
    """Return the entries of the graph in use, and the options."""
    lane = Lane.objects.select_related("graph", "options").get()
    return lane.graph and lane.graph.entries, lane.options and lane.options.entries


def test_a_graph_of_its_own_is_loaded_with_the_options_for_its_entries(file: Path) -> None:
    file.write_text(with_graph(research(), deepen={"passes": 1}))

    said = "news: created; bundle 1 in use; options 1 in use; graph 1 in use\n"
    assert run("load_lanes", file) == said
    assert in_use() == (research(), {"deepen": {"passes": 1}})
    assert run("load_lanes", file) == "news: nothing new\n"


def test_a_dump_of_a_lane_with_its_own_graph_is_a_file_that_changes_nothing(
    file: Path, tmp_path: Path
) -> None:
    file.write_text(with_graph(swapped("index", "cover"), reason='It "takes" longest.'))
    run("load_lanes", file)
    dumped = tmp_path / "dump.toml"
    dumped.write_text(run("dump_lanes"))
    before = run("dump_lanes", json=True)

    assert run("load_lanes", dumped) == "news: nothing new\n"
    Lane.objects.update(bundle=None, options=None, graph=None)
    Lane.objects.all().delete()
    run("load_lanes", dumped)
    assert run("dump_lanes", json=True) == before
    assert LaneGraph.objects.get().reason == 'It "takes" longest.'


def test_a_graph_that_hardly_differs_is_refused_in_a_file_without_a_reason(file: Path) -> None:
    file.write_text(with_graph(swapped("index", "cover")))

    with pytest.raises(
        CommandError, match=r"lane news: graph\.reason: is empty, and the graph is 1"
    ):
        run("load_lanes", file)
    assert counts() == (0, 0, 0)


def test_an_unchanged_file_leaves_the_graph_that_editors_put_to_use(file: Path) -> None:
    run("load_lanes", file)
    save_graph(Lane.objects.get(), research())

    assert json.loads(run("load_lanes", file, json=True))[0]["kept"] == ["graph"]
    assert in_use()[0] == research()


def test_a_file_that_has_a_graph_leaves_the_lane_that_editors_put_back_on_the_spine(
    file: Path,
) -> None:
    file.write_text(with_graph(research()))
    run("load_lanes", file)
    use_spine(Lane.objects.get())

    assert json.loads(run("load_lanes", file, json=True))[0]["kept"] == ["graph"]
    assert in_use()[0] is None


def test_with_overwrite_the_file_puts_the_lane_back_on_the_spine_with_its_options(
    file: Path,
) -> None:
    run("load_lanes", file)
    save_graph(Lane.objects.get(), research(), options={"deepen": {"passes": 1}})

    said = "news: options 3 in use; back on the spine\n"
    assert run("load_lanes", file, overwrite=True) == said
    assert in_use() == (None, {"ground": {"passes": 2}})


def test_a_new_graph_that_does_not_fit_the_options_that_are_kept_changes_nothing(
    file: Path,
) -> None:
    run("load_lanes", file)
    save_options(Lane.objects.get(), {"clean": {"words_least": 300}})
    graph = [entry | ({"name": "tidy"} if entry.get("step") == "clean" else {})
             for entry in research(without="second_look")]  # fmt: skip
    file.write_text(with_graph(graph, reason="Why not.", ground={"passes": 2}))

    with pytest.raises(CommandError, match=r"lane news: options\.clean: no step has this name"):
        run("load_lanes", file)
    assert (LaneGraph.objects.count(), in_use()[0]) == (0, None)
    assert counts() == (1, 1, 2)
