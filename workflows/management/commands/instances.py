"""The command `instances`: look at instances and act on them, as the admin does."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from workflows.cli.console import Console
from workflows.cli.forecasting import Forecaster, foretell_nothing
from workflows.cli.subcommands import SUBCOMMANDS, Family, Subcommand, add_subcommands
from workflows.errors import WorkflowError


class Command(BaseCommand):
    """Translate a command line into one call; exit 1 if anything was refused.

    An app with verbs of its own derives its `instances` from this one, and stands before the
    engine in INSTALLED_APPS.

    Attributes:
        subcommands: in the order in which help lists them.
        forecaster: what is said of a verb before it is confirmed.
    """

    help = (
        "Look at instances and act on them. An ID is whole (publish-my-brief) or `latest`; several "
        "may be given. A filter in their place orders a bulk operation. Times are UTC."
    )
    # An operator must get at instances just when code and stored graphs do not fit.
    requires_system_checks = []
    subcommands: Sequence[Subcommand | Family] = SUBCOMMANDS
    forecaster: Forecaster = staticmethod(foretell_nothing)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the subcommands."""
        add_subcommands(parser, self.subcommands)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one; whatever is refused is one line, and with --json a document too."""
        console = Console(
            self.stdout, self.stderr, as_json=options["json"], forecaster=self.forecaster
        )
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
