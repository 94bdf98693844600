"""Pointers to where two JSON values differ."""

from typing import Any

import pytest

from publishing.intake.differences import find_differences


@pytest.mark.parametrize(
    ("first", "second", "pointers"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["/a"]),
        ({"a": 1}, {}, ["/a"]),
        ({}, {"a": None}, ["/a"]),
        ({"a": 1}, {"a": True}, ["/a"]),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, ["/a/1", "/a/2"]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 2, "c": 2}}, ["/a/b"]),
        ({"a": []}, {"a": {}}, ["/a"]),
        ({"x/y~z": 1}, {}, ["/x~1y~0z"]),
        ({"a": 1}, [], [""]),
    ],
)
def test_every_place_that_differs_is_pointed_to(
    first: Any, second: Any, pointers: list[str]
) -> None:
    assert find_differences(first, second) == pointers


def test_a_flood_of_differences_is_cut() -> None:
    assert len(find_differences({"a": []}, {"a": [1] * 500})) == 100
