"""`bench engine` runs whole, counts what it did in SQL, and leaves nothing behind."""

import json
import subprocess

import pytest
from django.db import connection

from tests.flows.processes import MANAGE, ROOT, environment

PARTS = ("throughput", "alone", "creates", "claims", "accidents", "crowd")


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MANAGE, "bench", "engine", "--quick", *arguments],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def scratch_databases() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("select datname from pg_database where datname like 'presswork_bench%%'", [])
        return [name for (name,) in cursor.fetchall()]


@pytest.mark.django_db(transaction=True)
def test_every_part_runs_and_finds_in_the_database_what_it_counted() -> None:
    ran = bench("--json")

    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert report["counted"] == {
        "instances": 120,
        "lone instances": 6,
        "creates": 521,
        "duplicates refused": 20,
        "claims": report["counted"]["claims"],
        "kills": 1,
        "open instances": 30,
        "woken": 5,
    }
    assert report["counted"]["claims"] >= 16
    yardsticks = {figure["name"] for figure in report["figures"] if figure["is_yardstick"]}
    assert {"instances, yardstick, group commit", "yardstick: a step's commit"} <= yardsticks
    assert scratch_databases() == []


@pytest.mark.django_db(transaction=True)
def test_a_part_that_does_not_exist_is_refused_before_anything_is_made() -> None:
    ran = bench("--only", "throughput,speed")

    assert ran.returncode == 1
    assert f"no part is named speed: {', '.join(PARTS)}" in ran.stderr
    assert scratch_databases() == []
