"""`assert_replay_safe` finds steps that are not safe to run again, and lets the others pass."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.workflows.test_testing import groups
from workflows import registry
from workflows.contracts import Contract, Transaction
from workflows.registry import step
from workflows.testing import assert_replay_safe


class Noted(Contract):
    """What a step of this module returns."""

    name: str
    row: int = 0


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[None]:
    """Forget after the test which steps it has registered."""
    monkeypatch.setattr(registry, "_steps", dict(registry._steps))
    yield
    registry.code_version.cache_clear()


ADD = "insert into auth_group (name) values (%s) returning id"
ADD_ONCE = (
    "insert into auth_group (name) values (%s) "
    "on conflict (name) do update set name = excluded.name returning id"
)


def add_group(name: str, statement: str = ADD) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, [name])
        return int(cursor.fetchone()[0])


def test_a_step_that_adds_a_row_each_time_is_found_out(steps: None) -> None:
    @step("adds")
    def adds(noted: Noted) -> Noted:
        add_group(f"{noted.name} {len(groups())}")
        return Noted(name=noted.name)

    with pytest.raises(AssertionError) as found:
        assert_replay_safe("adds", Noted(name="x"), snapshot=groups)
    assert str(found.value).splitlines() == [
        "adds is not safe to run again: its snapshot differs",
        "--- first run",
        "+++ second run",
        "@@ -1 +1 @@",
        "-['x 0']",
        "+['x 0', 'x 1']",
    ]


def test_a_step_whose_second_output_differs_is_found_out(steps: None) -> None:
    runs: list[int] = []

    @step("counts")
    def counts(noted: Noted) -> Noted:
        runs.append(1)
        return Noted(name=noted.name, row=len(runs))

    with pytest.raises(AssertionError, match=r"its output differs(.|\n)*-\{'name': 'x', 'row': 1"):
        assert_replay_safe("counts", Noted(name="x"), snapshot=list)
    assert_replay_safe("counts", Noted(name="x"), snapshot=list, key=lambda noted: noted.name)


def test_a_step_that_writes_outside_its_transactional_end_is_found_out(steps: None) -> None:
    @step("leaks")
    def leaks(noted: Noted) -> Transaction[Noted]:
        add_group(f"early {len(groups())}")
        return Transaction(lambda: Noted(name=noted.name))

    with pytest.raises(AssertionError, match="its snapshot differs"):
        assert_replay_safe("leaks", Noted(name="x"), snapshot=groups)


def test_upserts_files_by_digest_and_transactional_ends_are_safe(
    steps: None, tmp_path: Path
) -> None:
    @step("stores")
    def stores(noted: Noted) -> Noted:
        (tmp_path / f"{len(noted.name)}-{noted.name}").write_text(noted.name)
        return Noted(name=noted.name, row=add_group(noted.name, ADD_ONCE))

    @step("commits")
    def commits(noted: Noted) -> Transaction[Noted]:
        return Transaction(lambda: Noted(name=str(add_group(f"{noted.name} {len(groups())}") > 0)))

    def left() -> object:
        return groups(), sorted(path.name for path in tmp_path.iterdir())

    output = assert_replay_safe("stores", Noted(name="x"), snapshot=left)
    assert output == Noted(name="x", row=getattr(output, "row", 0))
    assert_replay_safe("commits", Noted(name="y"), snapshot=left)
    assert left() == (["x", "y 1"], ["1-x"])


def test_an_input_that_is_missing_is_named(db: None) -> None:
    with pytest.raises(TypeError, match="trial_second takes a Order, which is not among"):
        assert_replay_safe("trial_second", snapshot=list)
