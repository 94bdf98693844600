"""The lanes' file: loaded once, proved whole before anything is written, written back."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from lanes.models import Bundle, Lane, LaneOptions
from lanes.toml import write_lanes
from lanes.versions import read_specs, save_bundle, save_options

pytestmark = pytest.mark.django_db

NEWS = """
[[lane]]
name = "news"
title = "News"
hue = 25

[lane.bundle]
voice = "Plain."
audience = "Readers."
brief_hints = "Short."
note = "First version."

[[lane.bundle.anti_patterns]]
text = "Hype."
why = "It tires."
severity = "flag"
pattern = '\\bhuge\\b'

[lane.options.ground]
passes = 2
"""
SHIPPED = ["news", "dev", "build", "design", "marketing", "founders", "business", "research"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lanes.toml"
    path.write_text(NEWS)
    return path


def run(command: str, *arguments: object, **options: Any) -> str:
    out = StringIO()
    call_command(command, *map(str, arguments), stdout=out, **options)
    return out.getvalue()


def counts() -> tuple[int, int, int]:
    return Lane.objects.count(), Bundle.objects.count(), LaneOptions.objects.count()


def test_loading_makes_lane_first_bundle_and_options(file: Path) -> None:
    assert run("load_lanes", file) == "news: created; bundle 1 in use; options 1 in use\n"

    lane = Lane.objects.get()
    assert (lane.name, lane.title, lane.hue, lane.place) == ("news", "News", 25, 0)
    assert lane.bundle is not None
    assert lane.options is not None
    assert lane.bundle.note == "First version."
    assert [
        (row.place, row.text, row.why, row.severity, row.pattern)
        for row in lane.bundle.anti_patterns.all()
    ] == [(0, "Hype.", "It tires.", "flag", r"\bhuge\b")]
    assert lane.options.entries == {"ground": {"passes": 2}}


def test_loading_twice_changes_nothing(file: Path) -> None:
    run("load_lanes", file)
    assert run("load_lanes", file) == "news: nothing new\n"
    assert counts() == (1, 1, 1)


def test_an_edited_file_makes_a_new_version_that_says_where_it_came_from(file: Path) -> None:
    run("load_lanes", file)
    file.write_text(NEWS.replace("Plain.", "Plainer."))

    assert run("load_lanes", file) == "news: bundle 2 in use\n"
    lane = Lane.objects.get()
    assert lane.bundle is not None
    assert (lane.bundle.voice, lane.bundle.note) == ("Plainer.", "Loaded from lanes.toml")
    assert counts() == (1, 2, 1)


def test_loading_an_unchanged_file_leaves_what_editors_saved_since(file: Path) -> None:
    run("load_lanes", file)
    lane = Lane.objects.get()
    specs = {"voice": "Dry.", "audience": "Readers.", "brief_hints": "Short."}
    save_bundle(lane, read_specs(specs))
    save_options(lane, {})
    Lane.objects.update(title="The News")

    said = json.loads(run("load_lanes", file, json=True))

    assert said[0]["kept"] == ["title", "bundle", "options"]
    assert counts() == (1, 2, 2)
    lane.refresh_from_db()
    assert lane.bundle is not None
    assert (lane.title, lane.bundle.version) == ("The News", 2)


def test_with_overwrite_the_file_wins(file: Path) -> None:
    run("load_lanes", file)
    lane = Lane.objects.get()
    specs = {"voice": "Dry.", "audience": "Readers.", "brief_hints": "Short."}
    save_bundle(lane, read_specs(specs))
    save_options(lane, {})
    Lane.objects.update(title="The News")

    run("load_lanes", file, overwrite=True)

    lane = Lane.objects.get()
    assert lane.bundle is not None
    assert lane.options is not None
    assert (lane.title, lane.bundle.version, lane.bundle.voice) == ("News", 1, "Plain.")
    assert lane.options.entries == {"ground": {"passes": 2}}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "News"', "", "lane news: title: Field required"),
        ("hue = 25", "hue = 400", "lane news: hue: Input should be less than or equal to 359"),
        ('severity = "flag"', 'severity = "loud"',
         "lane news: bundle.anti_patterns[0].severity: Input should be 'warn' or 'flag'"),
        (r"'\bhuge\b'", "'('", "lane news: bundle.anti_patterns[0]: '(' is no regular expression"),
        ("passes = 2", 'passes = "x"', "lane news: options.ground.passes: "),
        ("[lane.options.ground]", "[lane.options.gruond]",
         "lane news: options.gruond: no step has this name; there are validate, ground"),
        ('note = "First version."', 'tone = "x"', "lane news: bundle.tone: Extra inputs"),
        ('name = "news"', 'name = "News"', "lane News: name: String should match"),
        ("[[lane]]", "[[lanes]]", "has no [[lane]]"),
        ('name = "news"', "name = ", "Invalid value (at line 3"),
    ],
)  # fmt: skip
def test_what_does_not_fit_names_file_lane_and_field_and_nothing_is_written(
    file: Path, old: str, new: str, said: str
) -> None:
    good = NEWS.replace('"news"', '"dev"')
    file.write_text(good + NEWS.replace(old, new) if old != "[[lane]]" else new)
    if said.startswith("Invalid"):
        file.write_text(NEWS.replace(old, new))

    with pytest.raises(CommandError) as refused:
        run("load_lanes", file)

    assert f"{file}: {said}" in str(refused.value)
    assert counts() == (0, 0, 0)


def test_every_problem_is_told_at_once(file: Path) -> None:
    wrong = NEWS.replace("hue = 25", "hue = 400")
    file.write_text(wrong + wrong.replace('"news"', '"dev"') + NEWS + NEWS)

    with pytest.raises(CommandError) as refused:
        run("load_lanes", file)
    assert [line.removeprefix(f"{file}: ") for line in str(refused.value).splitlines()] == [
        "lane news: hue: Input should be less than or equal to 359",
        "lane dev: hue: Input should be less than or equal to 359",
        "lane news: stands twice",
    ]


def test_the_shipped_file_loads_all_eight_desks() -> None:
    run("load_lanes")
    assert list(Lane.objects.values_list("name", flat=True)) == SHIPPED
    research = Lane.objects.get(name="research")
    assert research.options is not None
    assert research.options.entries == {"review": {"policy": "flagged"}}


def test_a_dump_of_the_shipped_lanes_loads_into_an_empty_house_as_the_same(tmp_path: Path) -> None:
    run("load_lanes")
    dumped = tmp_path / "dump.toml"
    dumped.write_text(run("dump_lanes"))
    before = run("dump_lanes", json=True)
    Lane.objects.update(bundle=None, options=None, graph=None)
    Lane.objects.all().delete()

    run("load_lanes", dumped)

    assert run("dump_lanes", json=True) == before


def test_loading_a_dump_where_it_was_made_changes_nothing(tmp_path: Path, file: Path) -> None:
    run("load_lanes", file)
    Lane.objects.update(closed_because="Summer.", place=7)
    dumped = tmp_path / "dump.toml"
    dumped.write_text(run("dump_lanes"))

    assert run("load_lanes", dumped) == "news: nothing new\n"


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        'with "quotes"',
        "it's \\d+",
        "two\nlines",
        'ends in a quote\n"',
        'three """ within\nlines',
        "tab\tand \\ slash\nand\r\nmore",
        "trailing newline\n",
        "\nleading newline",
        "ünï ∑ 🗞",
        "\x7f\x01",
        "'''\n\\",
        "",
    ],
)
def test_any_text_comes_back_as_it_was_written(text: str) -> None:
    import tomllib

    lanes = [{"name": "x", "bundle": {"voice": text, "anti_patterns": [{"text": text}]},
              "options": {"a b": {"list": [text, text * 40], "on": True, "deep": [{"x": 1.5}, 2],
                                  "in": {"k": text}}}}]  # fmt: skip
    assert tomllib.loads(write_lanes(lanes)) == {"lane": lanes}


def test_anti_patterns_keep_their_order(file: Path) -> None:
    more = "\n".join(
        f'[[lane.bundle.anti_patterns]]\ntext = "T{n}"\nwhy = "W"\n' for n in range(12)
    )
    file.write_text(NEWS.replace("[lane.options", more + "\n[lane.options"))
    run("load_lanes", file)

    bundle = Bundle.objects.get()
    texts = [row.text for row in bundle.anti_patterns.all()]
    assert texts == ["Hype.", *(f"T{n}" for n in range(12))]
    assert bundle.pattern_count == 13
