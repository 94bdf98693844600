"""`bench spend` does what it counts, in a database that is gone afterwards, and pays nobody."""

import json
import subprocess
from collections import Counter
from typing import Any

import pytest
from django.db import connection

from publishing.benches import spend
from publishing.benches.report import BenchError, Figure
from publishing.models import Call
from tests.flows.processes import MANAGE, ROOT, environment

pytestmark = pytest.mark.django_db(transaction=True)


def run_bench(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MANAGE, "bench", *arguments],
        env=environment(**more),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def databases() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("select datname from pg_database")
        return {name for (name,) in cursor.fetchall()}


def test_the_spend_bench_counts_what_the_database_holds_and_leaves_nothing_behind() -> None:
    before = databases()
    # A key and an address that must not be used: a bench asks its own server.
    ran = run_bench(
        "spend",
        "--quick",
        "--json",
        DJANGO_SETTINGS_MODULE="publishing.settings",
        ANTHROPIC_API_KEY="sk-real",
        ANTHROPIC_BASE_URL="http://127.0.0.1:9",
    )
    assert ran.returncode == 0, ran.stderr
    report: dict[str, Any] = json.loads(ran.stdout)

    counted = report["counted"]
    assert counted["unknown"] == 1
    assert counted["requests"] == 2 * counted["settled"] >= 4
    assert counted["held"] >= 5 * 2 + (1 + 8 + 24) * 2
    assert (report["bench"], report["size"]) == ("spend", "quick")
    assert {"cores", "python", "postgres"} <= report["machine"].keys()
    named = {figure["name"] for figure in report["figures"]}
    assert named >= {
        "reserves, 1 thread",
        "reserves, 8 threads",
        "reserves, 24 threads",
        "added by the ledger",
        "psycopg: insert and commit, 1 thread",
        "reserve p99, alone",
        "reserve p99, beside a full lane, without rest",
        "reserve p99, full lane to readers, without rest",
    }
    assert all(len(figure["rounds"]) == 1 for figure in report["figures"])
    assert databases() == before
    assert Call.objects.count() == 0


def test_a_role_that_may_not_create_databases_is_told_what_to_do() -> None:
    before = databases()
    with connection.cursor() as cursor:
        cursor.execute("drop role if exists bench_reader")
        cursor.execute("create role bench_reader login password 'secret'")
    try:
        url = environment()["DATABASE_URL"].partition("@")[2]
        ran = run_bench("spend", "--quick", DATABASE_URL=f"postgres://bench_reader:secret@{url}")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("drop role bench_reader")
    assert ran.returncode == 1
    assert "Grant the role CREATEDB" in ran.stderr
    assert databases() == before


def test_what_is_not_as_it_was_counted_is_no_figure(caps: object) -> None:
    with pytest.raises(BenchError, match="the database holds"):
        spend._audit(Counter(held=1), requests=0)


def test_a_figure_is_the_median_of_its_rounds() -> None:
    figure = Figure("reserves", "/s", [1.0, 100.0, 3.0])
    assert figure.as_json() == {
        "name": "reserves",
        "unit": "/s",
        "median": 3.0,
        "rounds": [1.0, 100.0, 3.0],
        "is_yardstick": False,
        "most": None,
        "least": None,
    }
