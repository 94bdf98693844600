"""PgBouncer in transaction mode between the product and Postgres: every promise holds."""

import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection

from publishing.embedded_postgres.account import account_for
from publishing.embedded_postgres.cluster import cluster_of
from tests.flows.processes import kill, standing_pids, web, workers
from tests.workflows.conftest import Trial, trial, wait_until
from workflows.models import Instance, Status, StepRecord

__all__ = ["trial"]
pytestmark = pytest.mark.needs("pgbouncer")
SESSIONS_MAX = 4  # fewer than the processes hold connections: transactions really share them
TOKEN = "scrape-me"


@dataclass
class Pooler:
    """A PgBouncer before the test's own database."""

    folder: Path

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.folder / "pgbouncer.log"

    def sessions(self) -> int:
        """Count the sessions that it has opened on the server so far."""
        return self.log.read_text().count("new connection to server")

    def environment(self) -> dict[str, str]:
        """Return what leads a process of the product through it."""
        host, name = quote(str(self.folder), safe=""), connection.settings_dict["NAME"]
        return {
            "DATABASE_URL": f"postgres://pooled@{host}:6432/{name}",
            "DATABASE_POOLED": "1",
        }

    def write_settings(self) -> Path:
        """Write what it reads: transaction mode, and no startup parameter but those it knows."""
        parameters = connection.get_connection_params()
        target = {
            name: parameters[name]
            for name in ("host", "port", "user", "password", "dbname")
            if parameters.get(name)
        }
        line = " ".join(f"{name}='{value}'" for name, value in target.items())
        path = self.folder / "pgbouncer.ini"
        path.write_text(
            f"[databases]\n{target['dbname']} = {line}\n\n[pgbouncer]\npool_mode = transaction\n"
            f"unix_socket_dir = {self.folder}\nlisten_port = 6432\nauth_type = any\n"
            f"default_pool_size = {SESSIONS_MAX}\nmax_client_conn = 200\n"
        )
        return path


@pytest.fixture
def pooler(pgbouncer_path: str, trial: Trial) -> Iterator[Pooler]:
    """PgBouncer refuses root, so it runs as whoever the embedded Postgres runs as."""
    account = account_for(cluster_of(settings.DATA_DIR))
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        pooler = Pooler(Path(made))
        written = pooler.write_settings()
        for path in (pooler.folder, written):
            account.give(path)
        with pooler.log.open("wb") as printed:
            process = subprocess.Popen(
                [*account.prefix, pgbouncer_path, str(written)], stdout=printed, stderr=printed
            )
        try:
            wait_until((pooler.folder / ".s.PGSQL.6432").exists)
            yield pooler
        finally:
            process.terminate()
            process.wait(30)
        assert "unsupported startup parameter" not in pooler.log.read_text()


def all_complete() -> bool:
    return not Instance.objects.exclude(status=Status.COMPLETE).exists()


def test_workers_and_web_behind_it_lose_nothing_and_repeat_no_finished_step(
    trial: Trial, pooler: Pooler
) -> None:
    way = pooler.environment()
    with web(**way, METRICS_TOKEN=TOKEN) as address, workers(**way) as cluster:
        wait_until(lambda: len(standing_pids()) == 2)
        for number in range(20):
            trial.create(key=f"k{number}", partition=f"p{number % 3}", seconds=0.3)
        wait_until(lambda: StepRecord.objects.count() > 5)
        shared = pooler.sessions()  # a killed client in mid transaction costs another one
        kill(standing_pids()[0])
        metrics = httpx2.get(
            f"{address}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False
        )
        wait_until(all_complete, seconds=90)
        assert cluster.poll() is None

    assert 1 < shared <= SESSIONS_MAX
    assert metrics.status_code == 200
    assert "workflows_drains" in metrics.text
    records = Counter(StepRecord.objects.values_list("instance__key", "entry"))
    assert set(records.values()) == {1}
    assert len(records) == 60
    assert Group.objects.count() == 20
