"""What all tests share: the parts of the machine that some need, and the end of the server.

A test marked `needs("chromium")` is left out where that part is missing. The last lines of the run
say how many were and what to install; with CI=true in the environment the run then fails.
"""

import os
import shutil
import signal
from collections import Counter
from ctypes.util import find_library
from typing import Any

import pytest
from django.conf import settings
from xdist.scheduler import LoadScopeScheduling

from publishing.embedded_postgres.server import stop_if_started_here

# A part: the names of its program, a library it needs, and how to come by both on Debian.
PARTS: dict[str, tuple[tuple[str, ...], str | None, str]] = {
    "chromium": (
        ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
        "atomic",  # of Playwright's driver
        "apt-get install chromium libatomic1",
    ),
    "redis-server": (("redis-server",), None, "apt-get install redis-server"),
    "pgbouncer": (
        ("pgbouncer", "/usr/sbin/pgbouncer"),  # where only root's PATH leads
        None,
        "apt-get install pgbouncer",
    ),
}
LEFT_OUT = pytest.StashKey[Counter[str]]()


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Shares a run out test by test, and keeps a file whole whose tests build on one another."""

    whole_files = (
        "tests/flows/test_demo.py",
        "tests/flows/test_demo_interrupted.py",
        "tests/workflows/test_plans.py",
    )

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in self.whole_files else nodeid


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser's program; a test that asks for it is marked `needs("chromium")`."""
    return _needed("chromium")


@pytest.fixture(scope="session")
def redis_server_path() -> str:
    """The broker's program; a test that asks for it is marked `needs("redis-server")`."""
    return _needed("redis-server")


@pytest.fixture(scope="session")
def pgbouncer_path() -> str:
    """The pooler's program; a test that asks for it is marked `needs("pgbouncer")`."""
    return _needed("pgbouncer")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count, and hear Ctrl-C."""
    config.stash[LEFT_OUT] = Counter()
    # Build machines often start with SIGINT ignored, and children would inherit their deafness.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    """Share out a run of several processes (`pytest -n 2`)."""
    return Sharing(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the tests whose part is missing."""
    for item in items:
        for part in _missing_parts(item):
            item.add_marker(pytest.mark.skip(reason=f"no {part}"))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Count what was left out by all who share the run; on a build machine, fail for it."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    for report in reporter.stats.get("skipped", []) if reporter else []:
        for part in PARTS:
            if report.longrepr[2] == f"Skipped: no {part}":
                session.config.stash[LEFT_OUT][part] += 1
    is_green = session.exitstatus == pytest.ExitCode.OK
    if is_green and session.config.stash[LEFT_OUT] and os.environ.get("CI") == "true":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say last what was left out, and what to install; end the Postgres that this run started."""
    for part, count in config.stash[LEFT_OUT].items():
        print(f"{count} tests left out: no {part}. Remedy: {PARTS[part][-1]}")  # noqa: T201
    if settings.DATABASES["default"]["ENGINE"] == "publishing.embedded_postgres":
        stop_if_started_here(settings.DATA_DIR)


def _missing_parts(item: pytest.Item) -> set[str]:
    needed = {part for marker in item.iter_markers("needs") for part in marker.args}
    return {part for part in needed if not (_program(part) and _has_library(part))}


def _needed(part: str) -> str:
    path = _program(part)
    assert path is not None, f'mark the test with @pytest.mark.needs("{part}")'
    return path


def _has_library(part: str) -> bool:
    _, library, _ = PARTS[part]
    return library is None or find_library(library) is not None


def _program(part: str) -> str | None:
    names, *_ = PARTS[part]
    return next((path for name in names if (path := shutil.which(name))), None)
