"""The embedded server: one a DATA_DIR, whoever starts, whoever is killed, whatever the path."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from publishing.embedded_postgres import cluster as layout
from publishing.embedded_postgres.account import account_for
from publishing.embedded_postgres.errors import EmbeddedPostgresError
from publishing.embedded_postgres.processes import serves, serving_pid
from publishing.embedded_postgres.server import ensure, stop, stop_if_started_here

ROOT = Path(__file__).parents[2]
ENSURE = """
import sys
from pathlib import Path
from publishing.embedded_postgres.server import ensure
print(ensure(Path(sys.argv[1])).started_here)
"""
QUERY_KILL_QUERY = """
import os, signal
from glob import glob
import django
django.setup()
from django.conf import settings
from django.db import connection
from publishing.embedded_postgres.cluster import cluster_of
from publishing.embedded_postgres.processes import serving_pid
def stands_in(folder, process):
    try:
        return os.readlink(process + "/cwd") == str(folder)
    except OSError:
        return False
cluster = cluster_of(settings.DATA_DIR)
for _ in range(2):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        assert cursor.fetchone() == ("presswork",)
    connection.close()
    os.kill(serving_pid(cluster), signal.SIGKILL)
    # A backend may answer for a moment yet; each stands in the data directory.
    while any(stands_in(cluster.data, process) for process in glob("/proc/[0-9]*")):
        pass
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that anybody may enter, as /srv is; its server has ended afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="presswork-test-"))
    folder.chmod(0o755)
    yield folder
    stop(folder)
    shutil.rmtree(folder)


def test_of_several_processes_that_start_at_once_one_starts_the_server(data_dir):
    starters = [start_child(data_dir) for _ in range(4)]
    told = sorted(output_of(starter) for starter in starters)
    assert told == ["False", "False", "False", "True"]
    assert len(servers_of(data_dir)) == 1


def test_a_killed_server_is_started_again_with_all_that_was_committed(data_dir):
    ensure(data_dir)
    run(data_dir, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    kill_server(data_dir)
    assert ensure(data_dir).started_here
    assert run(data_dir, "SELECT count(*) FROM kept") == [(1000,)]


def test_a_backend_that_outlives_its_killed_server_delays_the_next_and_corrupts_nothing(data_dir):
    ensure(data_dir)
    busy = "DO $$ BEGIN FOR i IN 1..30000000 LOOP NULL; END LOOP; END $$"
    with closing(connect(data_dir)) as connection:
        connection.pgconn.send_query(busy.encode())
        wait_until(lambda: is_active(data_dir, busy))
        kill_server(data_dir)
        assert ensure(data_dir).started_here
    assert run(data_dir, "SELECT 1") == [(1,)]


def test_the_server_survives_a_kill_of_the_process_group_that_started_it(data_dir):
    starter = start_child(data_dir, then="import time; time.sleep(60)")
    assert starter.stdout is not None
    assert starter.stdout.readline() == "True\n"
    os.killpg(starter.pid, signal.SIGKILL)
    starter.communicate()
    assert not ensure(data_dir).started_here


def test_a_starter_killed_while_the_data_is_made_leaves_nothing_in_the_way(data_dir):
    starter = start_child(data_dir)
    wait_until(lambda: list((data_dir / "postgres").glob("new-*/base")))
    starter.kill()
    starter.communicate()
    assert ensure(data_dir).started_here
    assert sorted(path.name for path in (data_dir / "postgres").iterdir()) == [
        "data",
        "run",
        "server.log",
        "start.lock",
    ]


def test_a_process_id_that_now_belongs_to_a_stranger_is_neither_trusted_nor_killed(data_dir):
    ensure(data_dir)
    kill_server(data_dir)
    cluster = layout.cluster_of(data_dir)
    with subprocess.Popen([*account_for(cluster).prefix, "sleep", "60"]) as stranger:
        _, _, rest = cluster.pid_file.read_text().partition("\n")
        cluster.pid_file.write_text(f"{stranger.pid}\n{rest}")
        assert not stop(data_dir)
        assert ensure(data_dir).started_here
        assert stop(data_dir)
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("content", ["", "half"])
def test_a_half_written_process_id_is_no_obstacle(data_dir, content):
    ensure(data_dir)
    kill_server(data_dir)
    layout.cluster_of(data_dir).pid_file.write_text(content)
    assert ensure(data_dir).started_here


@pytest.mark.parametrize("name", ["with a space", 'it\'s "quoted" $HOME; `id`', "a,comma"])
def test_no_character_of_the_path_means_anything(data_dir, name):
    folder = data_dir / name
    ensure(folder)
    assert run(folder, "SELECT current_database()") == [("presswork",)]
    assert stop(folder)


def test_a_path_too_long_for_a_socket_gets_a_short_private_folder(data_dir):
    folder = data_dir / ("long" * 25)
    socket_folder = ensure(folder).socket_folder
    assert socket_folder.parent == Path("/tmp")
    assert socket_folder.stat().st_mode & 0o777 == 0o700
    assert ensure(folder).socket_folder == socket_folder
    assert stop(folder)
    assert not socket_folder.exists()


def test_a_short_folder_that_is_open_to_others_is_refused(data_dir):
    folder = data_dir / ("long" * 25)
    planted = layout.cluster_of(folder).socket_folder
    planted.mkdir()
    planted.chmod(0o755)
    with pytest.raises(EmbeddedPostgresError, match=f"{planted}, where the socket"):
        ensure(folder)
    assert servers_of(folder) == []
    planted.rmdir()


def test_below_a_folder_closed_to_others_it_works_and_the_folder_stays_closed(data_dir):
    closed = data_dir / "closed"
    closed.mkdir(mode=0o700)
    ensure(closed / "data")
    assert run(closed / "data", "SELECT 1") == [(1,)]
    assert stop(closed / "data")
    assert closed.stat().st_mode & 0o777 == 0o700
    assert closed.stat().st_uid == os.geteuid()


def test_data_of_another_major_version_is_refused_and_left_alone(data_dir):
    data = layout.cluster_of(data_dir).data
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match=r"was made by Postgres 17; .* installed is 18"):
        ensure(data_dir)
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_an_error_of_the_server_reaches_the_command_line_without_a_traceback(data_dir):
    data = layout.cluster_of(data_dir).data
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")
    refused = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--skip-checks"],
        cwd=ROOT,
        env=environment(data_dir),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"EmbeddedPostgresError: {data} was made by Postgres 17")
    assert refused.stderr.count("\n") == 1


def test_stopping_twice_ends_the_server_once(data_dir):
    ensure(data_dir)
    assert stop(data_dir)
    assert servers_of(data_dir) == []
    assert not stop(data_dir)


def test_only_the_process_that_started_the_server_ends_what_it_started(data_dir):
    assert output_of(start_child(data_dir)) == "True"
    assert not stop_if_started_here(data_dir)
    assert len(servers_of(data_dir)) == 1
    assert stop(data_dir)
    ensure(data_dir)
    assert stop_if_started_here(data_dir)
    assert servers_of(data_dir) == []


def test_djangos_pool_starts_the_server_and_starts_it_again_when_it_was_killed(data_dir):
    subprocess.run(
        [sys.executable, "-c", QUERY_KILL_QUERY], cwd=ROOT, env=environment(data_dir), check=True
    )


def start_child(data_dir: Path, then: str = "") -> subprocess.Popen[str]:
    """Call `ensure` in a process and a session of its own; it prints whether it started."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", ENSURE + then, data_dir],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def output_of(child: subprocess.Popen[str]) -> str:
    output, _ = child.communicate()
    assert child.returncode == 0
    return output.strip()


def environment(data_dir: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    settings = {"DJANGO_SETTINGS_MODULE": "publishing.settings", "DEBUG": "1"}
    return kept | settings | {"DATA_DIR": str(data_dir)}


def connect(data_dir: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=str(layout.cluster_of(data_dir).socket_folder),
        port=layout.PORT,
        user=layout.USER,
        dbname=layout.DATABASE,
    )


def run(data_dir: Path, statement: str) -> list[tuple[object, ...]]:
    with connect(data_dir) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def is_active(data_dir: Path, statement: str) -> bool:
    with connect(data_dir) as connection:
        asked = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = %s"
        return connection.execute(asked, [statement]).fetchone() is not None


def kill_server(data_dir: Path) -> None:
    pid = serving_pid(layout.cluster_of(data_dir))
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def servers_of(data_dir: Path) -> list[int]:
    """Return the postmasters that serve the folder, from the list of all processes."""
    cluster = layout.cluster_of(data_dir)
    numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in numbers if serves(pid, cluster)]


def wait_until(condition) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("what the test waited for did not happen")
