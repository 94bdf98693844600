"""Drafts, what was put to use when and by whom, and the ways back."""

import pytest
from django.contrib.auth.models import User

from lanes.models import Bundle, Lane, LaneGraph, LaneOptions, VersionUse
from lanes.storing import AnyVersion
from lanes.versions import (
    draft_bundle,
    draft_graph,
    draft_options,
    read_specs,
    roll_back,
    save_bundle,
    save_graph,
    save_options,
    specs_of,
    use_spine,
    use_version,
)
from tests.lanes.broken_graphs import research, swapped
from tests.lanes.test_versions import PATTERN, SPECS, lane
from workflows.errors import ContractError

__all__ = ["lane"]  # the fixture


def uses_of(lane: Lane) -> list[tuple[str, str, str | None]]:
    """Return what was put to use, first to last: kind, version, by whom."""
    rows = VersionUse.objects.filter(lane=lane).select_related("author").order_by("pk")
    return [(row.kind, str(row), row.author.get_username() if row.author else None) for row in rows]


@pytest.mark.django_db
def test_an_author_may_be_forgotten_and_the_versions_stay(lane: Lane) -> None:
    author = User.objects.create_user("edna")
    save_graph(lane, research(), author=author)
    author.delete()
    assert LaneGraph.objects.get().author is None
    assert uses_of(lane)[-1] == ("graph", "trial graph 1", None)


@pytest.mark.django_db
def test_a_draft_is_stored_and_not_in_use_until_it_is_put_to_use(lane: Lane) -> None:
    otto = User.objects.create_user("otto")
    assert draft_bundle(lane, read_specs(SPECS | {"voice": "Dry."})) == 2
    assert draft_options(lane, {"ground": {"passes": 2}}) == 1
    assert draft_graph(lane, research(), note="Deeper.") == 1

    lane.refresh_from_db()
    assert lane.bundle is not None
    assert (lane.bundle.version, lane.options, lane.graph) == (1, None, None)
    drafts: list[AnyVersion] = [
        lane.bundles.get(version=2),
        lane.options_versions.get(),
        lane.graphs.get(),
    ]
    assert [draft.uses.exists() for draft in drafts] == [False, False, False]

    for draft in drafts:
        use_version(draft, author=otto)
    lane.refresh_from_db()
    assert [lane.bundle, lane.options, lane.graph] == drafts
    assert uses_of(lane)[1:] == [
        ("bundle", "trial bundle 2", "otto"),
        ("options", "trial options 1", "otto"),
        ("graph", "trial graph 1", "otto"),
    ]


@pytest.mark.django_db
def test_every_use_is_recorded_in_order(lane: Lane) -> None:
    save_bundle(lane, read_specs(SPECS | {"voice": "Dry."}))
    use_version(Bundle.objects.get(lane=lane, version=1))
    save_graph(lane, research())
    use_spine(lane)
    assert uses_of(lane) == [
        ("bundle", "trial bundle 1", None),
        ("bundle", "trial bundle 2", None),
        ("bundle", "trial bundle 1", None),
        ("graph", "trial graph 1", None),
        ("graph", "trial on the spine", None),
    ]


@pytest.mark.django_db
def test_a_roll_back_is_a_new_version_that_says_what_the_old_one_said(lane: Lane) -> None:
    save_bundle(lane, read_specs(SPECS | {"voice": "Dry.", "anti_patterns": [PATTERN]}))
    save_bundle(lane, read_specs(SPECS | {"voice": "Wry."}))
    save_options(lane, {"ground": {"passes": 2}})
    save_options(lane, {})
    save_graph(lane, swapped("index", "cover"), reason="Covers are slow.")
    save_graph(lane, research())

    assert roll_back(Bundle.objects.get(lane=lane, version=2)) == 4
    assert roll_back(LaneOptions.objects.get(lane=lane, version=1)) == 3
    assert roll_back(LaneGraph.objects.get(lane=lane, version=1)) == 3

    lane.refresh_from_db()
    assert (lane.bundle, lane.options, lane.graph) == (
        Bundle.objects.get(version=4),
        LaneOptions.objects.get(version=3),
        LaneGraph.objects.get(version=3),
    )
    assert lane.bundle is not None
    assert lane.options is not None
    assert lane.graph is not None
    assert (lane.bundle.note, lane.options.note, lane.graph.note) == (
        "Rolled back to version 2.",
        "Rolled back to version 1.",
        "Rolled back to version 1.",
    )
    assert specs_of(lane.bundle) == specs_of(Bundle.objects.get(version=2))
    assert lane.options.entries == {"ground": {"passes": 2}}
    assert (lane.graph.entries, lane.graph.reason) == (
        swapped("index", "cover"),
        "Covers are slow.",
    )


@pytest.mark.django_db
def test_a_graph_that_no_longer_fits_is_neither_used_nor_rolled_back_to(lane: Lane) -> None:
    stale = LaneGraph.objects.create(lane=lane, version=1, entries=[{"step": "of_last_year"}])

    for act in (use_version, roll_back):
        with pytest.raises(ContractError, match=r"^graph\.entries\[0\]\.step: no step"):
            act(stale)
    assert LaneGraph.objects.count() == 1
    lane.refresh_from_db()
    assert lane.graph is None


@pytest.mark.django_db
def test_options_for_the_lanes_own_graph_keep_it_off_the_spine_until_others_are_given(
    lane: Lane,
) -> None:
    save_graph(lane, research(), options={"deepen": {"passes": 1}})

    with pytest.raises(ContractError, match=r"^options\.deepen: no step has this name"):
        use_spine(lane)
    assert Lane.objects.filter(graph__version=1).exists()

    use_spine(lane, options={"ground": {"passes": 2}})
    lane = Lane.objects.select_related("options").get(pk=lane.pk)
    assert lane.options is not None
    assert (lane.graph_id, lane.options.version) == (None, 2)
