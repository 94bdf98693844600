"""Real processes of the product, on the test's database."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx2
from django.conf import settings
from django.db import connection

from tests.workflows.conftest import wait_until
from workflows.models import Drain
from workflows.processes import descendants_of

ROOT = Path(__file__).parents[2]
MANAGE = [sys.executable, str(ROOT / "manage.py")]


def environment(**more: str) -> dict[str, str]:
    """Return the environment in which a child works on the test's own database."""
    parameters = connection.get_connection_params()
    host, port = quote(str(parameters.get("host", "")), safe=""), parameters.get("port", 5432)
    user, password = parameters.get("user", ""), parameters.get("password", "")
    login = quote(user) + (f":{quote(password)}" if password else "")
    return os.environ | {
        "DATABASE_URL": f"postgres://{login}@{host}:{port}/{connection.settings_dict['NAME']}",
        "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE,
        "DEBUG": "1",
        "WORKFLOWS_GRACE_SECONDS": "2",
        **more,
    }


@contextmanager
def workers(**more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `manage.py qcluster` in a session of its own; nothing of it is left afterwards."""
    process = subprocess.Popen(
        [*MANAGE, "qcluster"], env=environment(**more), cwd=ROOT, start_new_session=True
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            kill_family(process.pid)
            process.wait()


@contextmanager
def web(**more: str) -> Iterator[str]:
    """Run gunicorn on a free port and yield its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "gunicorn", "publishing.wsgi", "--bind", address[7:]]
    process = subprocess.Popen(
        [*command, "--workers", "2", "--threads", "4", "--log-level", "error"],
        env=environment(SITE_URL=address, **more),
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        wait_until(lambda: answers(f"{address}/robots.txt"))
        yield address
    finally:
        process.terminate()
        process.wait(30)


def answers(address: str) -> bool:
    """Whether something answers 200 there."""
    try:
        return httpx2.get(address, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def kill_family(pid: int) -> None:
    """Send SIGKILL to the process and everything below it."""
    for member in [*descendants_of(pid), pid]:
        kill(member)


def kill(pid: int) -> None:
    """Send SIGKILL; a process that is gone already is fine."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def standing_pids() -> list[int]:
    """Return the pids of the worker processes that hold a drain now."""
    return list(Drain.objects.filter(ended_at=None, leaving=False).values_list("pid", flat=True))
