"""What all tests share: the parts of the machine that some need, and the end of the server.

A test marked `needs("chromium")` is left out where that part is missing. The last lines of the run
say how many were and what to install; with CI=true in the environment the run then fails.
"""

import os
import shutil
from collections import Counter

import pytest
from django.conf import settings

from publishing.embedded_postgres.server import stop_if_started_here

# A part: the names of its program, and how to come by it on Debian.
PARTS = {
    "chromium": (
        ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
        "apt-get install chromium",
    ),
}
LEFT_OUT = pytest.StashKey[Counter[str]]()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser's program; a test that asks for it is marked `needs("chromium")`."""
    path = _program("chromium")
    assert path is not None, 'mark the test with @pytest.mark.needs("chromium")'
    return path


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count."""
    config.stash[LEFT_OUT] = Counter()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests whose part is missing, and count them by part."""
    for item in items:
        for part in _missing_parts(item):
            config.stash[LEFT_OUT][part] += 1
            item.add_marker(pytest.mark.skip(reason=f"{part} is not installed"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run on a build machine that left something out."""
    is_green = session.exitstatus == pytest.ExitCode.OK
    if is_green and session.config.stash[LEFT_OUT] and os.environ.get("CI") == "true":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say last what was left out, and what to install; end the Postgres that this run started."""
    for part, count in config.stash[LEFT_OUT].items():
        print(f"{count} tests left out: no {part}. Remedy: {PARTS[part][1]}")  # noqa: T201
    if settings.DATABASES["default"]["ENGINE"] == "publishing.embedded_postgres":
        stop_if_started_here(settings.DATA_DIR)


def _missing_parts(item: pytest.Item) -> set[str]:
    needed = {part for marker in item.iter_markers("needs") for part in marker.args}
    return {part for part in needed if _program(part) is None}


def _program(part: str) -> str | None:
    names, _ = PARTS[part]
    return next((path for name in names if (path := shutil.which(name))), None)
