"""The command `check_instances`: a deploy's gate."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from workflows.drift import find_drift


class Command(BaseCommand):
    """Translate the command line into one call."""

    help = (
        "Prove that this code can finish all open instances; exit 1 if not. Run it with the new "
        "code before the old workers are stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the output."""
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what does not fit, and end accordingly."""
        drifts = find_drift()
        if options["json"]:
            self.stdout.write(json.dumps([asdict(drift) for drift in drifts]))
        for drift in [] if options["json"] else drifts:
            named = ", ".join(drift.examples)
            self.stdout.write(
                f"{drift.workflow}: {drift.count} open instances, such as {named}: "
                f"{drift.path} {drift.message}"
            )
        if drifts:
            self.stderr.write(
                "This code cannot finish them. Keep the old workers until they are done, make the "
                "contract take what was recorded, or replace the outputs: manage.py instances "
                "replace-output."
            )
            sys.exit(1)
        if not options["json"]:
            self.stdout.write("Every open instance can be finished by this code.")
