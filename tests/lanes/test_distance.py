"""How far graphs are apart: fewest changes, a metric, and the stages named by kind."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanes.distance import Distance, Stage, distance_from_spine, measure, stages_of
from lanes.spine import SPINE

Stages = tuple[Stage, ...]

stages = st.lists(st.sampled_from("abcd"), max_size=6).map(
    lambda steps: tuple(Stage(step, step) for step in steps)
)
quick = settings(max_examples=300, deadline=None)


def named(text: str) -> Stages:
    """Return a graph whose steps are the letters."""
    return tuple(Stage(letter, letter) for letter in text)


def neighbours(text: str, letters: str) -> set[str]:
    """Return whatever one change makes of the text."""
    found = set()
    for at in range(len(text) + 1):
        found |= {text[:at] + letter + text[at:] for letter in letters}
    for at in range(len(text)):
        rest = text[:at] + text[at + 1 :]
        found.add(rest)
        found |= {text[:at] + letter + text[at + 1 :] for letter in letters}
        found |= {rest[:to] + text[at] + rest[to:] for to in range(len(text))}
    return found


def test_it_is_the_fewest_single_changes_between_all_pairs_of_short_graphs() -> None:
    texts = ["".join(letters) for n in range(5) for letters in product("abc", repeat=n)]
    near = {text: {n for n in neighbours(text, "abc") if len(n) <= 5} for text in texts}
    for begin in texts[::7]:
        known, edge, changes = {begin}, {begin}, 0
        while edge:
            for text in edge & set(texts):
                assert measure(named(begin), named(text)).stages == changes, (begin, text)
            edge = {n for text in edge for n in near.get(text, neighbours(text, "abc"))
                    if len(n) <= 5} - known  # fmt: skip
            known |= edge
            changes += 1


@quick
@given(stages)
def test_a_graph_is_nowhere_from_itself(a: Stages) -> None:
    assert measure(a, a) == Distance()


@quick
@given(stages, stages)
def test_it_is_the_same_in_both_directions(a: Stages, b: Stages) -> None:
    there, back = measure(a, b), measure(b, a)
    assert there.stages == back.stages
    assert (there.stages == 0) == (a == b)


@quick
@given(stages, stages, stages)
def test_no_detour_is_shorter(a: Stages, b: Stages, c: Stages) -> None:
    assert measure(a, c).stages <= measure(a, b).stages + measure(b, c).stages


@quick
@given(stages, st.data())
def test_a_stage_that_is_added_is_one(a: Stages, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(a)))
    more = (*a[:at], Stage("z", "extra"), *a[at:])
    assert measure(a, more) == Distance(added=("extra",))
    assert measure(more, a) == Distance(removed=("extra",))


@quick
@given(stages, st.data())
def test_a_stage_that_is_replaced_counts_once(a: Stages, data: st.DataObject) -> None:
    a = (Stage("y", "y"), *a)
    at = data.draw(st.integers(0, len(a) - 1))
    other = (*a[:at], Stage("z", "z"), *a[at + 1 :])
    assert measure(a, other) == Distance(replaced=((a[at].name, "z"),))


@quick
@given(stages, st.data())
def test_a_stage_that_is_moved_counts_once(a: Stages, data: st.DataObject) -> None:
    a = (Stage("y", "y"), *a)
    at, to = data.draw(st.integers(0, len(a) - 1)), data.draw(st.integers(0, len(a) - 1))
    rest = (*a[:at], *a[at + 1 :])
    moved = (*rest[:to], a[at], *rest[to:])
    assert measure(a, moved).stages == (0 if moved == a else 1)


@quick
@given(stages, stages)
def test_the_stages_that_are_named_account_for_both_graphs(a: Stages, b: Stages) -> None:
    found = measure(a, b)
    assert len(a) - len(b) == len(found.removed) - len(found.added)
    assert found.stages <= max(len(a), len(b)) + min(len(found.removed), len(found.added))


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        ("abcdef", "abcxdef", Distance(added=("x",))),
        ("abcdef", "abdef", Distance(removed=("c",))),
        ("abcdef", "abdefc", Distance(moved=("c",))),
        ("abcdef", "abxdef", Distance(replaced=(("c", "x"),))),
        ("abcdef", "abcxdeyf", Distance(added=("x", "y"))),
        ("abcdef", "fabcde", Distance(moved=("f",))),
        ("abcdef", "xbcde", Distance(removed=("f",), replaced=(("a", "x"),))),
        ("akz", "yka", Distance(replaced=(("a", "y"), ("z", "a")))),
    ],
)
def test_stages_are_named_by_what_became_of_them(a: str, b: str, found: Distance) -> None:
    assert measure(named(a), named(b)) == found


def test_waits_names_and_options_count_nothing() -> None:
    entries = [
        {"step": entry["step"], "name": f"own_{entry['step']}", "options": {"x": 1}}
        for entry in SPINE
        if "step" in entry
    ]
    entries[3:3] = [{"wait": "approval"}, {"sleep": 60, "name": "pause"}]
    assert distance_from_spine(entries) == Distance()


def test_a_second_entry_of_a_step_is_the_one_that_is_called_otherwise() -> None:
    second = {"step": "ground", "name": "deepen"}
    for position in (1, 2):
        entries = [*SPINE[:position], second, *SPINE[position:]]
        assert distance_from_spine(entries) == Distance(added=("deepen",))


def test_a_graph_as_long_as_may_be_is_measured_too() -> None:
    entries = [{"step": "ground", "name": f"g{n}"} for n in range(92)]
    steps = [entry for entry in SPINE if "step" in entry]
    mixed = [entry for n in range(8) for entry in (*entries[n * 11 : n * 11 + 11], steps[7 - n])]
    found = measure(stages_of(SPINE), stages_of(mixed))
    assert len(found.added) - len(found.removed) == 96 - 8
    assert 96 - 8 < found.stages < 96
