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
from publishing.intake.refusals import Fault, RefusedError
from publishing.intake.submit import Sender, submit_brief
from workflows.errors import CreateBusyError


class Command(BaseCommand):
    """`submit_brief FILE`: the same intake as the API's, with every lane in scope."""

    help = "Submit a brief from a JSON file, or from standard input for -."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the file and the form of the output."""
        parser.add_argument("file", help="a JSON file with one brief; - reads standard input")
        parser.add_argument("--json", action="store_true", help="print the answer as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Submit, and print the instance and where to look at it."""
        lanes = frozenset(Lane.objects.values_list("name", flat=True))
        try:
            payload = read_json(_read(options["file"]))
            submission = submit_brief(payload, Sender(trigger="command", lanes=lanes))
        except (RefusedError, Problem) as refusal:
            raise CommandError(_explained(str(refusal), refusal.faults)) from None
        except CreateBusyError as busy:
            raise CommandError(str(busy)) from None
        answer = describe_submission(submission, base=settings.SITE_URL)
        self.stdout.write(json.dumps(answer, indent=2) if options["json"] else _told(answer))


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


def _admin_path(instance_id: str) -> str:
    return reverse("admin:workflows_instance_change", args=[instance_id])
