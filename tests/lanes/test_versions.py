"""Saving bundles and options."""

import threading
from typing import Any

import pytest
from django.db import IntegrityError, connection

from lanes.models import AntiPattern, Bundle, Lane, LaneGraph, LaneOptions, VersionUse
from lanes.selection import compile_entries, load_bundle, plan_for
from lanes.versions import (
    prove_options,
    read_specs,
    save_bundle,
    save_graph,
    save_options,
    specs_of,
    use_version,
)
from tests.lanes.broken_graphs import research
from workflows.errors import ContractError

SPECS: dict[str, Any] = {"voice": "Plain.", "audience": "Readers.", "brief_hints": "Short."}


@pytest.fixture
def lane() -> Lane:
    made = Lane.objects.create(name="trial", title="Trial")
    save_bundle(made, read_specs(SPECS))
    return made


@pytest.mark.django_db
def test_a_save_makes_the_next_version_and_puts_it_to_use(lane: Lane) -> None:
    assert save_bundle(lane, read_specs(SPECS | {"voice": "Dry."}), note="Drier.") == 2

    lane.refresh_from_db()
    assert lane.bundle is not None
    assert (lane.bundle.version, lane.bundle.voice, lane.bundle.note) == (2, "Dry.", "Drier.")
    assert Bundle.objects.get(lane=lane, version=1).voice == "Plain."


@pytest.mark.django_db
def test_a_plan_made_before_a_save_names_its_own_version_after_it(lane: Lane) -> None:
    plan = plan_for(lane)
    save_bundle(lane, read_specs(SPECS | {"voice": "Dry."}))

    specs = load_bundle(plan.bundle.pk)
    assert (specs.version, specs.voice) == (1, "Plain.")


@pytest.mark.django_db(transaction=True)
def test_of_two_editors_who_save_at_once_each_makes_a_version_of_their_own(lane: Lane) -> None:
    together, made = threading.Barrier(8), []

    def save(voice: str) -> None:
        together.wait()
        made.append(save_bundle(lane, read_specs(SPECS | {"voice": voice})))
        connection.close()

    editors = [threading.Thread(target=save, args=(f"Voice {n}",)) for n in range(8)]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join()

    assert sorted(made) == [2, 3, 4, 5, 6, 7, 8, 9]
    lane.refresh_from_db()
    assert lane.bundle is not None
    assert lane.bundle.version == 9


@pytest.mark.django_db
def test_the_database_refuses_to_change_a_stored_version(lane: Lane) -> None:
    with pytest.raises(IntegrityError, match="a stored version never changes"):
        Bundle.objects.filter(lane=lane).update(voice="Rewritten.")


@pytest.mark.django_db
def test_an_older_version_can_be_put_to_use_again_and_the_next_save_counts_on(lane: Lane) -> None:
    save_bundle(lane, read_specs(SPECS | {"voice": "Dry."}))
    use_version(Bundle.objects.get(lane=lane, version=1))

    lane.refresh_from_db()
    assert lane.bundle is not None
    assert lane.bundle.version == 1
    assert save_bundle(lane, read_specs(SPECS | {"voice": "Wry."})) == 3


@pytest.mark.django_db
def test_specs_come_back_as_they_were_saved(lane: Lane) -> None:
    pattern = {"text": "Hype.", "why": "It tires.", "severity": "flag", "pattern": r"\bhuge\b"}
    specs = read_specs(SPECS | {"anti_patterns": [pattern]})
    save_bundle(lane, specs)

    lane.refresh_from_db()
    assert lane.bundle is not None
    assert specs_of(lane.bundle) == specs


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"voice": " "}, "voice"),
        ({"audience": "a\x00b"}, "audience"),
        ({"tone": "x"}, "tone"),
        ({"anti_patterns": [{"text": "a", "why": "b", "severity": "loud"}]},
         "anti_patterns[0].severity"),
        ({"anti_patterns": [{"text": "a", "why": "b", "pattern": "("}]}, "anti_patterns[0]"),
    ],
)  # fmt: skip
def test_specs_that_do_not_fit_name_their_place(wrong: dict[str, Any], path: str) -> None:
    with pytest.raises(ContractError) as refused:
        read_specs(SPECS | wrong)
    assert refused.value.path == path


@pytest.mark.django_db
def test_saved_options_are_laid_over_the_graph_from_then_on(lane: Lane) -> None:
    assert save_options(lane, {"ground": {"passes": 2}}, note="Twice.") == 1

    lane.refresh_from_db()
    ground = next(e for e in compile_entries(lane) if e.get("step") == "ground")
    assert ground["options"]["passes"] == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("entries", "path"),
    [
        ({"ground": {"passes": "many"}}, "options.ground.passes"),
        ({"gruond": {"passes": 2}}, "options.gruond"),
        ({"publish_at": {"x": 1}}, "options.publish_at"),
        ({"ground": 2}, "options.ground"),
        ([], "options"),
        ({"ground": {"passes": None}}, "options.ground.passes"),
    ],
)
def test_options_that_do_not_fit_are_refused_by_path_and_nothing_is_stored(
    lane: Lane, entries: Any, path: str
) -> None:
    with pytest.raises(ContractError) as refused:
        save_options(lane, entries)

    assert refused.value.path == path
    assert LaneOptions.objects.count() == 0
    lane.refresh_from_db()
    assert lane.options is None


@pytest.mark.django_db
def test_proving_options_stores_nothing(lane: Lane) -> None:
    prove_options(lane, {"ground": {"passes": 2}})
    assert LaneOptions.objects.count() == 0


PATTERN = {"text": "Hype.", "why": "It tires.", "severity": "flag", "pattern": r"\bhuge\b"}


@pytest.mark.django_db
@pytest.mark.parametrize("changed", [{"text": "Praise."}, {"place": 3}, {"pattern": ""}])
def test_the_database_refuses_to_change_an_anti_pattern(lane: Lane, changed: Any) -> None:
    save_bundle(lane, read_specs(SPECS | {"anti_patterns": [PATTERN]}))
    with pytest.raises(IntegrityError, match="a stored version never changes"):
        AntiPattern.objects.update(**changed)


@pytest.mark.django_db
def test_the_database_refuses_another_anti_pattern_of_a_stored_version(lane: Lane) -> None:
    assert lane.bundle is not None
    with pytest.raises(IntegrityError, match="a stored version never changes"):
        AntiPattern.objects.create(bundle=lane.bundle, place=0, text="Late.", why="Too late.")


@pytest.mark.django_db
@pytest.mark.parametrize("changed", [{"entries": []}, {"reason": "Another."}, {"note": "x"}])
def test_the_database_refuses_to_change_a_stored_graph(lane: Lane, changed: Any) -> None:
    save_graph(lane, research())
    with pytest.raises(IntegrityError, match="a stored version never changes"):
        LaneGraph.objects.update(**changed)


@pytest.mark.django_db
def test_the_database_refuses_to_change_who_used_what(lane: Lane) -> None:
    with pytest.raises(IntegrityError, match="a stored version never changes"):
        VersionUse.objects.update(bundle=None, kind="graph")


@pytest.mark.django_db(transaction=True)
def test_of_editors_who_save_graphs_and_options_at_once_none_loses_a_version(lane: Lane) -> None:
    together, made = threading.Barrier(6), []

    def save(number: int) -> None:
        together.wait()
        if number % 2:
            made.append(("graph", save_graph(lane, research(), note=f"Graph {number}")))
        else:
            made.append(("options", save_options(lane, {"ground": {"passes": 2}})))
        connection.close()

    editors = [threading.Thread(target=save, args=(n,)) for n in range(6)]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join()

    assert sorted(made) == [("graph", 1), ("graph", 2), ("graph", 3),
                            ("options", 1), ("options", 2), ("options", 3)]  # fmt: skip
    lane = Lane.objects.select_related("graph", "options").get(pk=lane.pk)
    assert lane.graph is not None
    assert lane.options is not None
    assert (lane.graph.version, lane.options.version) == (3, 3)
    assert VersionUse.objects.exclude(kind="bundle").count() == 6
