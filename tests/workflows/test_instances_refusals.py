"""What `manage.py instances` refuses: one line and exit 1, and nothing has changed."""

import pytest

from tests.workflows.command_line import instances
from workflows.models import BulkOperation, Instance, Schedule


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", "trial-nobody"], "no instance has the ID trial-nobody"),
        (["show", "latest:publish"], "latest:publish: there is no such instance yet"),
        (["list", "--status", "eror"], "'eror' is none of queued, running"),
        (["log", "--after", "x"], "'x' is no cursor"),
        (["retry"], "say whom to retry: instance IDs, or a filter such as --status errored"),
        (["retry", "trial-x", "--status", "errored"], "instance IDs or a filter, not both"),
        (["restart", "--status", "errored", "--generation", "1"], "goes with instance IDs"),
        (["bulk", "start", "retry", "--from", "x", "--status", "errored"], "goes with restart"),
        (["bulk", "start", "send-event", "--status", "waiting"], "send-event needs --type"),
        (["bulk", "stop", "7"], "no bulk operation has the number 7"),
        (["schedules", "on", "nobody"], "there is no schedule 'nobody'"),
        (["usage", "--since", "1h", "--until", "2h"], "nothing lies between"),
    ],
)
@pytest.mark.django_db
def test_a_refusal_is_one_line_and_a_document_and_changes_nothing(
    words: list[str], says: str
) -> None:
    ran, programs = instances(*words), instances(*words, "--json")

    assert (ran.out, ran.code, programs.code) == ("", 1, 1)
    assert says in ran.err
    assert "\n" not in ran.err
    assert set(programs.json) == {"error"}
    assert says in programs.json["error"]
    assert not Instance.objects.exists()
    assert not BulkOperation.objects.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["list", "--created-after", "2026-11-23T08:00"], "says no zone; end it in Z for UTC"),
        (["list", "--created-after", "yesterday"], "is no moment: say 2026-11-23T08:00Z"),
        (["send-event", "x", "--type", "t", "--payload", "{bad"], "that is no JSON"),
        (["send-event", "x", "--type", "t", "--payload", "@/nowhere"], "cannot be read"),
        (["pause", "x", "--actor", ""], "an actor has 1 to 150 characters"),
        (["pause", "x", "--actor", "a" * 151], "an actor has 1 to 150 characters"),
        (["delete", "x"], "invalid choice: 'delete'"),
    ],
)
def test_a_word_that_cannot_be_meant_is_a_fault_of_the_command_line(
    words: list[str], says: str
) -> None:
    assert says in instances(*words).err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"--cron": "99 4 * * *"}, "is no cron line"),
        ({"--workflow": "nobody"}, "no workflow has this name"),
        ({"--entries": "{}"}, "a JSON list of objects"),
        ({"--entries": '[{"step":"nobody"}]'}, "no step has this name"),
        ({"--envelope": "[]"}, "a JSON object"),
    ],
)
@pytest.mark.django_db
def test_a_schedule_that_cannot_be_kept_is_refused(change: dict[str, str], says: str) -> None:
    given = {"--workflow": "prune", "--cron": "15 4 * * *", "--entries": '[{"step":"prune_ended"}]'}
    words = [word for pair in (given | change).items() for word in pair]

    ran = instances("schedules", "save", "tidy", *words)

    assert ran.code == 1
    assert says in ran.err
    assert not Schedule.objects.filter(name="tidy").exists()
