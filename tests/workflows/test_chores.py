"""Chores run when they are due, and one that fails stops no other."""

from datetime import timedelta

import pytest

from workflows import chores


@pytest.fixture(autouse=True)
def _only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "_chores", [])


def test_a_chore_runs_at_once_and_then_once_an_interval() -> None:
    done: list[str] = []
    chores.every(timedelta(hours=1))(lambda: done.append("hourly"))
    chores.every(timedelta(0))(lambda: done.append("always"))

    chores.run_due_chores()
    chores.run_due_chores()

    assert done == ["hourly", "always", "always"]


def test_a_chore_that_fails_is_logged_and_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []

    @chores.every(timedelta(hours=1))
    def broken() -> None:
        raise ValueError("a bug")

    chores.every(timedelta(hours=1))(lambda: done.append("next"))
    chores.run_due_chores()

    assert done == ["next"]
    assert "broken failed" in caplog.text
