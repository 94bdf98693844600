"""Intake from the command line, and the commands around it."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from lanes.models import Lane
from publishing.intake.submit import Sender, submit_brief
from publishing.keys import verify_key
from publishing.models import Brief, Bucket, Call, Routine, RoutineKey
from tests.publishing.api.conftest import NO_ROWS, a_brief, make_lane, rows
from workflows.models import Instance

pytestmark = pytest.mark.django_db


@pytest.fixture
def news() -> Lane:
    """A lane with a bundle."""
    return make_lane("news")


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with one brief that fits."""
    path = tmp_path / "brief.json"
    path.write_text(json.dumps(a_brief()))
    return path


def test_submit_brief_creates_the_instance_and_says_where_it_is(news: Lane, file: Path) -> None:
    told = run("submit_brief", str(file))
    assert told.startswith("publish-b-1: queued, queued\n")
    assert "/api/admin/instances/publish-b-1" in told
    assert "/admin/workflows/instance/publish-b-1/change/" in told
    instance = Instance.objects.get()
    assert (instance.trigger, instance.key) == ("command", "b-1")
    assert Brief.objects.get().routine is None


def test_submit_brief_twice_creates_once(news: Lane, file: Path) -> None:
    run("submit_brief", str(file))
    file.write_text(json.dumps(a_brief(title="Redrafted")))
    answer = json.loads(run("submit_brief", str(file), "--json"))
    assert (answer["detail"], answer["changed"]) == ("already queued", ["/title"])
    assert rows()["Instance"] == 1


def test_submit_brief_reads_standard_input(news: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    body = io.TextIOWrapper(io.BytesIO(json.dumps(a_brief()).encode()))
    monkeypatch.setattr("sys.stdin", body)
    assert json.loads(run("submit_brief", "-", "--json"))["instance_id"] == "publish-b-1"


def test_a_dry_run_says_what_it_would_cost_and_keeps_nothing(
    news: Lane, file: Path, prices: None, settings: Settings
) -> None:
    settings.ANTHROPIC_API_KEY = "sk-test"
    told = run("submit_brief", str(file), "--dry-run")
    assert told.startswith("b-1: would be queued in lane news; nothing was kept\n")
    assert "generate: expected $0.045, at most $0.728005" in told
    answer = json.loads(run("submit_brief", str(file), "--dry-run", "--json"))
    assert (answer["detail"], list(answer["forecast"]["entries"])) == (
        "would be queued", ["generate"],
    )  # fmt: skip
    assert rows() == NO_ROWS
    assert run("submit_brief", str(file)).startswith("publish-b-1: queued")


def test_a_dry_run_of_a_known_brief_counts_as_no_duplicate(news: Lane, file: Path) -> None:
    run("submit_brief", str(file))
    file.write_text(json.dumps(a_brief(title="Redrafted")))
    answer = json.loads(run("submit_brief", str(file), "--dry-run", "--json"))
    assert answer == {
        "brief_id": "b-1", "lane": "news", "detail": "already queued", "changed": ["/title"],
        "forecast": None,
    }  # fmt: skip
    assert Brief.objects.get().duplicates == 0


def test_a_dry_run_refuses_what_the_intake_refuses(news: Lane, file: Path) -> None:
    Lane.objects.update(closed_because="moved")
    with pytest.raises(CommandError, match="moved"):
        run("submit_brief", str(file), "--dry-run")
    assert rows() == NO_ROWS


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not JSON"),
        (json.dumps(a_brief(title="")), "/title: title is empty"),
        (json.dumps(a_brief(lane="nowhere")), "may use news"),
        ("[]", "a brief is a JSON object"),
    ],
)
def test_submit_brief_says_what_is_wrong_and_creates_nothing(
    news: Lane, file: Path, content: str, told: str
) -> None:
    file.write_text(content)
    with pytest.raises(CommandError, match=re.escape(told)):
        run("submit_brief", str(file))
    assert rows() == NO_ROWS


def test_submit_brief_without_a_file_says_so(news: Lane, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot read"):
        run("submit_brief", str(tmp_path / "none.json"))


def test_a_refusal_after_the_rows_were_made_rolls_all_back(news: Lane) -> None:
    sender = Sender(trigger="command", lanes=frozenset({"news"}))
    submit_brief(a_brief(), sender)
    before = rows()
    with pytest.raises(Exception, match="publish-b-1"):
        submit_brief(a_brief(brief_id="b-2"), sender)
    assert rows() == before
    assert (Call.objects.count(), Bucket.objects.count()) == (0, 0)


def test_create_routine_prints_a_curl_and_the_key_as_its_last_line(news: Lane) -> None:
    lines = run("create_routine", "Newsroom", "--lanes", "news", "--rate", "5").splitlines()
    key = verify_key(lines[-1])
    assert (key.routine.name, key.routine.rate_per_minute) == ("Newsroom", 5)
    assert [lane.name for lane in key.routine.lanes.all()] == ["news"]
    (curl,) = [line for line in lines if line.startswith("curl ")]
    assert f"Bearer {lines[-1]}" in curl
    assert "/api/admin/publish" in curl


def test_create_routine_gives_a_routine_that_exists_a_further_key(news: Lane) -> None:
    make_lane("dev")
    first = run("create_routine", "Newsroom", "--lanes", "news,dev").splitlines()[-1]
    made = json.loads(run("create_routine", "Newsroom", "--json"))
    assert made["lanes"] == ["news", "dev"] or made["lanes"] == ["dev", "news"]
    assert verify_key(first).routine == verify_key(made["key"]).routine
    assert (Routine.objects.count(), RoutineKey.objects.count()) == (1, 2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["Newsroom"], "say --lanes"),
        (["Newsroom", "--lanes", "nowhere"], "there are news"),
        (["Newsroom", "--lanes", ","], "names none"),
        (["Newsroom", "--lanes", "news", "--rate", "0"], "1 or more"),
        (["", "--lanes", "news"], "1 to 80"),
    ],
)
def test_create_routine_says_what_is_wrong_and_makes_nothing(
    news: Lane, arguments: list[Any], told: str
) -> None:
    with pytest.raises(CommandError, match=told):
        run("create_routine", *arguments)
    assert (Routine.objects.count(), RoutineKey.objects.count()) == (0, 0)
