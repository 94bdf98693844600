"""`manage.py instances`: each verb and list for people and for programs, and what it refuses."""

from pathlib import Path

import pytest

from tests.workflows.command_line import answered, instances, process
from tests.workflows.conftest import Trial, is_in, run_to_end
from workflows import verbs
from workflows.models import BulkOperation, Instance, Schedule, Status

WAITS = [{"step": "trial_first"}, {"wait": "approval"}, {"step": "trial_second"}]


def test_a_list_has_a_line_for_each_instance_and_a_cursor(trial: Trial) -> None:
    trial.create(key="a", partition="news")
    trial.create(key="b", partition="dev")
    cursor = Instance.objects.get(key="b").pk

    page = instances("list", "--limit", "1")
    rest = instances("list", "--after", str(cursor))

    heads, row, _, more = page.out.splitlines()
    assert heads.split()[:4] == ["INSTANCE", "STATUS", "ENTRY", "PARTITION"]
    assert row.split()[:4] == ["trial-b", "queued", "trial_first", "dev"]
    assert more == f"More: --after {cursor}"
    assert [line.split()[0] for line in rest.out.splitlines()] == ["INSTANCE", "trial-a"]
    assert instances("list", "--lane", "research").out == "No instance fits.\n"


def test_a_list_as_json_is_one_document_with_these_keys(trial: Trial) -> None:
    trial.create(key="a", partition="news")
    trial.create(key="b", partition="dev")

    page = instances("list", "--json", "--status", "queued,errored", "--partition", "news").json

    assert page["next"] is None
    (row,) = page["instances"]
    assert set(row) == {
        "instance_id", "workflow", "key", "partition", "trigger", "status", "waiting_for", "entry",
        "generation", "attempt", "failures", "crashes", "error", "created_at", "started_at",
        "finished_at", "due_at", "pruned_at",
    }  # fmt: skip
    assert (row["instance_id"], row["status"], row["entry"]) == ("trial-a", "queued", "trial_first")


def test_show_tells_every_attempt_and_the_log_and_json_tells_all(trial: Trial) -> None:
    run_to_end(trial.create(key="x", fail_times=1))

    shown = instances("show", "latest", "--outputs").out
    told = instances("show", "trial-x", "--json").json

    assert shown.startswith("trial-x\n  status      complete\n")
    assert "RetryableError: failed as ordered, time 1" in shown
    assert '"fail_times": 1' in shown
    assert [each["status"] for each in told["entries"]] == ["complete"] * 3
    assert told["entries"][2]["output"] == {"said": "x"}


def test_what_comes_from_outside_does_not_steer_the_terminal(trial: Trial) -> None:
    trial.create(key="x")
    verbs.pause("trial-x", actor="ann", why="\x1b[2J\x07gone\nnew line")

    shown = instances("log").out

    assert "\x1b" not in shown
    assert "[2J" in shown
    assert "gone new line" in shown


@pytest.mark.parametrize(
    ("words", "status", "kind"),
    [
        (["pause"], "paused", "pause"),
        (["terminate"], "terminated", "terminate"),
        (["restart"], "queued", "restart"),
    ],
)
def test_a_verb_acts_signs_and_gives_its_reason(
    trial: Trial, words: list[str], status: str, kind: str
) -> None:
    instance = trial.create(key="x")

    ran = instances(*words, "trial-x", "--why", "tidy", "--actor", "ann")

    assert (ran.out, ran.err, ran.code) == ("done       trial-x\n", "", 0)
    instance.refresh_from_db()
    assert Status(instance.status).label == status
    line = instance.log.get(kind=kind)
    assert (line.actor, line.why) == ("ann", "tidy")


def test_who_acts_is_the_user_of_the_shell_unless_said(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    instance = trial.create(key="x")

    instances("pause", "trial-x")

    assert instance.log.get(kind="pause").actor == "command:ann"


def test_of_several_ids_one_that_is_refused_leaves_the_others_be(trial: Trial) -> None:
    paused, ended = trial.create(key="a"), trial.create(key="b")
    verbs.terminate("trial-b", actor="ann")

    ran = instances("pause", "trial-a", "trial-nobody", "trial-b", "trial-a", "--json")

    assert ran.code == 1
    assert ran.json == {
        "results": [
            {"instance_id": "trial-a", "result": "done", "detail": ""},
            {
                "instance_id": "trial-nobody",
                "result": "refused",
                "detail": "no instance has the ID trial-nobody",
            },
            {
                "instance_id": "trial-b",
                "result": "refused",
                "detail": "pause: trial-b is terminated and has ended; nothing changed",
            },
        ]
    }
    assert is_in(paused, Status.PAUSED)
    assert is_in(ended, Status.TERMINATED)
    again = instances("pause", "trial-a")
    assert (again.out, again.code) == ("unchanged  trial-a: it was so already\n", 0)


def test_a_failed_step_is_retried_and_a_paused_instance_goes_on(trial: Trial) -> None:
    failed, paused = trial.create(key="f", fail_times=3), trial.create(key="p")
    verbs.pause("trial-p", actor="ann")
    run_to_end(failed)

    assert instances("retry", "trial-f").code == 0
    assert instances("resume", "trial-p").code == 0
    run_to_end(failed, paused)

    assert (failed.status, paused.status) == (Status.COMPLETE, Status.COMPLETE)


def test_a_restart_from_an_entry_needs_the_generation_that_was_seen(trial: Trial) -> None:
    instance = trial.create(key="x")
    run_to_end(instance)

    assert instances("restart", "trial-x", "--from", "trial_second").code == 0
    late = instances("restart", "trial-x", "--generation", "1")

    assert late.code == 1
    assert "was restarted meanwhile: it is in generation 2" in late.err
    instance.refresh_from_db()
    assert (instance.generation, instance.position) == (2, 1)


def test_an_output_is_replaced_by_json_of_a_file(trial: Trial, tmp_path: Path) -> None:
    instance = trial.create(key="x", refuse=True)
    run_to_end(instance)
    file = tmp_path / "output.json"
    file.write_text('{"said": "other"}')

    unfit = instances("replace-output", "trial-x", "--entry", "trial_first", "--output", "{}")
    done = instances("replace-output", "trial-x", "--entry", "trial_first", "--output", f"@{file}")

    assert (unfit.code, done.code) == (1, 0)
    assert "trial_first.said: does not fit First" in unfit.err
    assert instance.records.get(superseded=False).output == {"said": "other"}


def test_an_event_is_sent_once_under_its_key(trial: Trial) -> None:
    instance = trial.create(key="x", entries=WAITS)
    words = ["send-event", "trial-x", "--type", "approval", "--payload", "[1]", "--key", "k"]

    first, again = instances(*words), instances(*words)
    run_to_end(instance)

    assert first.out == "done       trial-x\n"
    assert again.out == "unchanged  trial-x: an event with this key was sent before\n"
    assert instance.status == Status.COMPLETE
    assert instance.events.get().payload == [1]


def test_a_filter_in_place_of_ids_orders_a_bulk_operation(trial: Trial) -> None:
    for key in ("a", "b"):
        trial.create(key=key, partition="news")
        verbs.pause(f"trial-{key}", actor="ann")
    verb = ["terminate", "--status", "paused", "--lane", "news"]

    unasked = instances(*verb)
    nobody = instances(*verb, "--entry", "trial_third", "--json")
    assert (unasked.code, nobody.json) == (1, {"operation": None})
    assert unasked.err == "terminate 2 instances? There is no terminal to ask: add --yes"
    assert not BulkOperation.objects.exists()

    ordered = instances(*verb, "--yes", "--json", "--why", "tidy").json["operation"]
    assert (ordered["total"], ordered["state"], ordered["why"]) == (2, "going", "tidy")
    run_to_end(Instance.objects.get(instance_id=ordered["instance_id"]))

    (row,) = instances("bulk", "list", "--json").json["operations"]
    assert (row["state"], row["done"], row["instance_status"]) == ("done", 2, "complete")
    assert row["filter"] == {"status": ["paused"], "partition": "news"}
    assert instances("bulk", "stop", str(row["operation"]), "--json").json["stopped"] is False
    assert set(Instance.objects.filter(partition="news").values_list("status", flat=True)) == {
        Status.TERMINATED
    }


def test_an_operation_is_stopped_and_one_whose_instance_is_stuck_says_so(trial: Trial) -> None:
    trial.create(key="a")
    assert instances("bulk", "start", "pause", "--workflow", "trial", "--yes").code == 0
    number = str(BulkOperation.objects.get().pk)
    verbs.terminate(f"bulk-{number}", actor="ann")

    assert f"bulk-{number} is terminated" in instances("bulk", "list").out
    assert instances("bulk", "stop", number).code == 0
    assert instances("bulk", "list", "--going").out == "No operation fits.\n"


def test_the_log_is_read_on_from_its_cursor(trial: Trial) -> None:
    trial.create(key="x")
    verbs.pause("trial-x", actor="ann", why="lunch")

    first = instances("log", "--after", "start", "--limit", "1", "--json").json
    rest = instances("log", "latest", "--after", first["next"], "--json").json
    verbs.resume("trial-x", actor="bob")
    later = instances("log", "--after", rest["next"], "--kind", "resume,retry", "--json").json

    assert [line["kind"] for line in first["log"]] == ["created"]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    (line,) = rest["log"]
    assert set(line) == {"instance_id", "kind", "generation", "actor", "why", "details", "at"}
    assert (line["instance_id"], line["why"]) == ("trial-x", "lunch")
    assert [line["actor"] for line in later["log"]] == ["bob"]
    assert "What comes later: --after" in instances("log").out


def test_usage_is_printed_for_people_and_programs(trial: Trial) -> None:
    run_to_end(trial.create(key="x", fail_times=1))

    told = instances("usage", "--since", "1h", "--json").json
    shown = instances("usage").out

    (second,) = [each for each in told["steps"] if each["entry"] == "trial_second"]
    assert (second["records"], second["outcomes"]["failed"]) == (1, 1)
    assert second["last_error"] == "RetryableError"
    assert set(second) == {
        "workflow", "entry", "step", "records", "outcomes", "seconds", "mean_seconds", "last_error",
    }  # fmt: skip
    assert [line.split()[1] for line in shown.splitlines()[3:]] == [
        "trial_first", "trial_second", "trial_third",
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_schedule_is_saved_turned_off_and_on_again() -> None:
    words = ["--workflow", "prune", "--cron", "15 4 * * *", "--entries", '[{"step":"prune_ended"}]']
    saved = instances("schedules", "save", "tidy", *words, "--json").json["schedule"]
    assert (saved["workflow"], saved["is_on"], saved["partition"]) == ("prune", True, "prune")

    Schedule.objects.filter(name="tidy").update(next_at="2020-01-01T04:15Z")
    assert instances("schedules", "off", "tidy").out == "tidy is off and starts nothing.\n"
    assert not Schedule.objects.get(name="tidy").is_on
    on = instances("schedules", "on", "tidy", "--json").json["schedule"]

    assert on["is_on"]
    assert on["next_at"] >= saved["next_at"]
    assert "15 4 * * *" in instances("schedules", "list").out


def test_as_a_process_it_asks_on_a_terminal_and_ends_quietly(trial: Trial) -> None:
    trial.create(key="x")
    terminate = ["terminate", "--workflow", "trial"]

    listed = process("list", "--json")
    refused = process("pause", "trial-nobody")
    wrong = process("list", "--created-after", "yesterday")
    no, yes = answered("n\n", *terminate), answered("y\n", *terminate)

    assert (listed.json["instances"][0]["instance_id"], listed.code) == ("trial-x", 0)
    assert (refused.out, refused.code) == ("", 1)
    assert refused.err == "refused    no instance has the ID trial-nobody\n"
    assert wrong.code == 2
    assert "Traceback" not in wrong.err
    assert no.code == 1
    assert no.err.endswith(
        "terminate 1 instance? [y/N] CommandError: not confirmed; nothing was ordered\n"
    )
    assert yes.code == 0
    assert yes.out.startswith("Ordered terminate for 1 instance: operation ")
    assert BulkOperation.objects.count() == 1
