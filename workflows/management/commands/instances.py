"""The command `instances`: look at instances and act on them, as the admin does."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from workflows.cli.console import Console
from workflows.cli.subcommands import add_subcommands
from workflows.errors import WorkflowError


class Command(BaseCommand):
    """Translate a command line into one call; exit 1 if anything was refused."""

    help = (
        "Look at instances and act on them. An ID is whole (publish-my-brief) or `latest`; several "
        "may be given. A filter in their place orders a bulk operation. Times are UTC."
    )
    # An operator must get at instances just when code and stored graphs do not fit.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the subcommands."""
        add_subcommands(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one; whatever is refused is one line, and with --json a document too."""
        console = Console(self.stdout, self.stderr, as_json=options["json"])
        try:
            is_done = options["run"](options, console)
            self.stdout.flush()
        except BrokenPipeError:  # of `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (WorkflowError, CommandError, OperationalError) as error:
            line = " ".join(str(error).split())
            if console.as_json:
                console.document({"error": line})
            raise CommandError(line) from None
        else:
            if not is_done:
                sys.exit(1)
