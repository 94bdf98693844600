"""Submit a brief from a file, as the API would take it, for any lane."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from lanes.models import Lane
from publishing.answers import describe_submission
from publishing.api.parsing import BODY_BYTES_MAX, read_json
from publishing.api.problems import Problem
from publishing.cli.costs import dollars, spend_fields
from publishing.intake.refusals import Fault, RefusedError
from publishing.intake.rehearsal import Rehearsal, rehearse_brief
from publishing.intake.submit import Sender, submit_brief
from publishing.ledger.errors import UnknownPriceError
from workflows.errors import CreateBusyError


class Command(BaseCommand):
    """`submit_brief FILE`: the same intake as the API's, with every lane in scope."""

    help = "Submit a brief from a JSON file, or from standard input for -."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the file and the form of the output."""
        parser.add_argument("file", help="a JSON file with one brief; - reads standard input")
        parser.add_argument(
            "--dry-run", action="store_true", help="check it and say what it may cost; keep nothing"
        )
        parser.add_argument("--json", action="store_true", help="print the answer as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Submit, and print the instance and where to look at it."""
        lanes = frozenset(Lane.objects.values_list("name", flat=True))
        sender = Sender(trigger="command", lanes=lanes)
        try:
            payload = read_json(_read(options["file"]))
            if options["dry_run"]:
                return self._rehearse(payload, sender, as_json=options["json"])
            submission = submit_brief(payload, sender)
        except (RefusedError, Problem) as refusal:
            raise CommandError(_explained(str(refusal), refusal.faults)) from None
        except (CreateBusyError, UnknownPriceError) as error:
            raise CommandError(str(error)) from None
        answer = describe_submission(submission, base=settings.SITE_URL)
        self.stdout.write(json.dumps(answer, indent=2) if options["json"] else _told(answer))
        return None

    def _rehearse(self, payload: object, sender: Sender, *, as_json: bool) -> None:
        rehearsal = rehearse_brief(payload, sender)
        said = _rehearsed_json(rehearsal) if as_json else _rehearsed(rehearsal)
        self.stdout.write(said)


def _read(file: str) -> bytes:
    try:
        body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}; give a JSON file") from None
    if len(body) > BODY_BYTES_MAX:
        raise CommandError(f"{file} is larger than 1 MiB, which is the most that a brief may be")
    return body


def _explained(refusal: str, faults: list[Fault]) -> str:
    lines = [f"  {fault.pointer or '-'}: {fault.detail}. {fault.fix}" for fault in faults]
    return "\n".join([refusal, *lines])


def _told(answer: dict[str, Any]) -> str:
    lines = [
        f"{answer['instance_id']}: {answer['detail']}, {answer['status']}",
        f"instance  {answer['links']['self']}",
        f"admin     {settings.SITE_URL}{_admin_path(answer['instance_id'])}",
        f"site      {answer['links']['article'] or settings.SITE_URL + '/'}",
    ]
    if answer.get("changed"):
        lines.append(f"changed   {', '.join(answer['changed'])}; the first brief stands")
    if "next" in answer:
        lines.append(answer["next"])
    return "\n".join(lines)


def _rehearsed(rehearsal: Rehearsal) -> str:
    brief = rehearsal.submission.brief
    if rehearsal.estimate is None:
        return f"{brief.brief_id}: would be answered with the brief that has this ID already"
    total = rehearsal.estimate.total
    named = ", ".join(each.entry for each in rehearsal.estimate.entries)
    pays = f"{named}: expected {dollars(total.expected_micros)}, at most"
    cost = f"{pays} {dollars(total.worst_micros)}" if named else "nothing of it is paid for"
    return "\n".join(
        [
            f"{brief.brief_id}: would be queued in lane {brief.lane.name}; nothing was kept",
            f"cost      {cost}",
        ]
    )


def _rehearsed_json(rehearsal: Rehearsal) -> str:
    submission, estimate = rehearsal.submission, rehearsal.estimate
    answer = {
        "brief_id": submission.brief.brief_id,
        "lane": submission.brief.lane.name,
        "detail": "would be queued" if submission.created else "already queued",
        "changed": submission.changed,
        "forecast": spend_fields(estimate) if estimate else None,
    }
    return json.dumps(answer, indent=2)


def _admin_path(instance_id: str) -> str:
    return reverse("admin:workflows_instance_change", args=[instance_id])
