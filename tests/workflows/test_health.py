"""What a supervisor is told: who lives, what waits, what to do, and how it exits."""

import json
import os
import subprocess
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from tests.flows.processes import MANAGE, ROOT, environment
from tests.workflows.conftest import Trial, enter, standing_drain, trial, wait_until
from workflows.connection import EngineConnection
from workflows.health import Finding, read_health
from workflows.models import Drain, Instance, Limit, Rank, Reason, Schedule, Status
from workflows.registry import code_version
from workflows.statements import health as statements

__all__ = ["trial"]
pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


def drain(*, host: str = "here", lease: timedelta = HOUR, **columns: Any) -> Drain:
    engine = EngineConnection("test")
    pk = enter(engine, lease=lease)
    engine.close()
    values = {"host": host, "code_version": code_version()} | columns
    Drain.objects.filter(pk=pk).update(**values)
    return Drain.objects.get(pk=pk)


def waited(instance: Instance, seconds: float) -> None:
    Instance.objects.filter(pk=instance.pk).update(due_at=Now() - timedelta(seconds=seconds))


def own(instance: Instance, owner: Drain) -> None:
    Instance.objects.filter(pk=instance.pk).update(
        status=Status.RUNNING, owner=owner.pk, due_at=None
    )


def findings() -> dict[str, Finding]:
    return {finding.code: finding for finding in read_health().findings}


def run_health(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("health", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_a_drain_at_work_is_healthy_and_named_with_its_host() -> None:
    with standing_drain() as standing:
        wait_until(Drain.objects.exists)
        code, said = run_health()
        health = read_health()

    host = os.uname().nodename
    assert (code, said) == (0, f"healthy: 1 drains beat on {host}; 0 due\n")
    assert [(d.id, d.host, d.pid, d.beats) for d in health.drains] == [
        (standing.id, host, os.getpid(), True)
    ]
    assert health.findings == []


def test_due_instances_without_a_drain_fail_and_the_remedy_is_named(trial: Trial) -> None:
    trial.create()
    trial.create()
    code, said = run_health()

    assert code == 1
    assert said.startswith(
        "failure: no drain beats; 2 instances are due: start manage.py qcluster; if it runs, "
        "restart it: its cluster has wedged (django-q2 issue 23)\nnot healthy: 0 drains beat; 2 due"
    )


def test_without_work_a_missing_worker_is_a_failure_too() -> None:
    assert run_health() == (
        1,
        "failure: no drain beats; nothing is due: start manage.py qcluster; if it runs, restart "
        "it: its cluster has wedged (django-q2 issue 23)\nnot healthy: 0 drains beat; 0 due\n",
    )


def test_the_queue_age_is_the_oldest_wait_of_any_partition_and_rank(trial: Trial) -> None:
    drain()
    for number, (partition, rank, seconds) in enumerate(
        [("a", Rank.NEW, 5), ("b", Rank.WOKEN, 7), ("c", Rank.SUSPECT, 900), ("c", Rank.NEW, -60)]
    ):
        instance = trial.create(key=str(number), partition=partition)
        Instance.objects.filter(pk=instance.pk).update(rank=rank)
        waited(instance, seconds)
    health = read_health()

    assert health.due == 3
    assert health.queue_age_seconds == pytest.approx(900, abs=30)


def test_drains_that_beat_and_claim_nothing_fail(trial: Trial) -> None:
    drain()
    waited(trial.create(), 31)
    assert findings()["not-claiming"].is_failure
    assert run_health()[0] == 1


def test_a_backlog_behind_drains_that_are_at_work_is_no_finding(trial: Trial) -> None:
    own(trial.create(), drain())
    waited(trial.create(), 3600)
    health = read_health()

    assert health.findings == []
    assert health.queue_age_seconds == pytest.approx(3600, abs=30)


@pytest.mark.parametrize("partition", ["shut", "*"])
def test_what_a_limit_of_nought_holds_back_is_aged_but_blamed_on_nobody(
    trial: Trial, partition: str
) -> None:
    drain()
    Limit.objects.create(partition=partition, max_running=0)
    waited(trial.create(partition="shut"), 3600)
    health = read_health()

    assert health.findings == []
    assert health.queue_age_seconds == pytest.approx(3600, abs=30)
    assert health.open_age_seconds is None


def test_a_lapsed_drain_of_another_host_is_a_warning_while_others_beat() -> None:
    drain()
    drain(host="lost", lease=-HOUR)
    code, said = run_health()

    assert code == 0
    assert said.startswith(
        "warning: 1 drains stopped beating without having ended, on lost: look whether"
    )
    assert findings()["drains-lapsed"].is_failure is False


def test_a_drain_that_ended_is_not_lapsed() -> None:
    drain()
    drain(lease=-HOUR, ended_at=timezone.now())
    assert read_health().findings == []


def test_instances_that_nobody_takes_over_fail(trial: Trial) -> None:
    drain()
    own(trial.create(), drain(host="lost", lease=-HOUR, beat_at=timezone.now() - HOUR))
    assert findings()["not-taken-over"].message == (
        "1 instances are still owned by drains that are gone"
    )
    assert run_health()[0] == 1


def test_abandoned_threads_are_named_by_process() -> None:
    standing = drain(counts={"abandoned": 3, "recorded": 9})
    finding = findings()["threads-abandoned"]

    assert finding.message == (
        f"steps never returned in drains {standing.pk} on here pid {standing.pid} (3)"
    )
    assert not finding.is_failure


def test_drains_of_other_code_are_a_warning() -> None:
    drain()
    drain(host="old", code_version="other")
    assert findings()["other-code"].message == (
        "1 drains run other code than this command's, on old"
    )
    assert run_health()[0] == 0


def test_an_overdue_schedule_fails_and_one_that_is_off_does_not() -> None:
    drain()
    for name, is_on, late in (("late", True, HOUR), ("off", False, HOUR), ("soon", True, -HOUR)):
        Schedule.objects.create(
            name=name,
            workflow="trial",
            cron="* * * * *",
            partition="p",
            entries=[],
            is_on=is_on,
            next_at=timezone.now() - late,
        )
    assert findings()["schedules-overdue"].message == (
        "schedules started nothing at their time: late"
    )
    assert run_health()[0] == 1


def test_instances_that_wait_for_code_are_counted(trial: Trial) -> None:
    drain()
    for _ in range(3):
        trial.create()
    Instance.objects.update(status=Status.WAITING, reason=Reason.CODE, due_at=None)
    assert read_health().waiting_for_code == 3
    assert "manage.py check_instances" in findings()["waiting-for-code"].remedy


def test_the_json_has_what_the_lines_say(trial: Trial) -> None:
    standing = drain()
    waited(trial.create(), 31)
    code, said = run_health("--json")
    answer = json.loads(said)

    assert (code, answer["healthy"], answer["due"]) == (1, False, 1)
    assert [each["id"] for each in answer["drains"]] == [standing.pk]
    assert [each["code"] for each in answer["findings"]] == ["not-claiming"]


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_database_that_is_away_is_one_line_without_a_stack(arguments: list[str]) -> None:
    away = environment(DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
    done = subprocess.run(
        [*MANAGE, "health", *arguments], env=away, cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert len(done.stdout.splitlines()) == 1
    assert "the database does not answer as it should" in done.stdout


@pytest.mark.parametrize("name", ["QUEUE", "DRAINS", "WAITING_FOR_CODE", "OPEN"])
def test_no_look_at_health_scans_all_instances(trial: Trial, name: str) -> None:
    first = trial.create()
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into workflows_instance (workflow, key, partition, graph_id, trigger, "
            "payload_hash, generation, status, position, attempt, failures, crashes, fence, rank, "
            "inbox, pause_requested, created_at, due_at, finished_at) "
            "select 'trial', 'n' || n, 'p' || n %% 5, %s, 'command', '', 1, "
            "case when n %% 50 = 0 then 0 else 6 end, 0, 0, 0, 0, 0, 1, 0, false, now(), "
            "case when n %% 50 = 0 then now() end, case when n %% 50 > 0 then now() end "
            "from generate_series(1, 100000) n",
            [first.graph_id],
        )
        cursor.execute("analyze workflows_instance")
        statement = getattr(statements, name)
        cursor.execute(f"explain {statement}", {"most": 10_000})
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "Seq Scan on workflows_instance" not in plan
    assert "on workflows_instance" in plan
    assert Instance.objects.filter(due_at__isnull=False).count() == 2001


def test_a_look_at_the_queue_stops_where_the_future_begins() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute(f"explain {statements.QUEUE}", {"most": 10_000})
        plan = [row[0] for row in cursor.fetchall()]

    ends = [line for line in plan if "due_at <=" in line]
    assert len(ends) == 2
    assert all("Index Cond" in line for line in ends)
