"""The command `prune_instances`: empty what has outlived its workflow's retention."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from workflows.errors import ContractError
from workflows.pruning import prune


class Command(BaseCommand):
    """Translate the command line into one call."""

    help = (
        "Empty instances that ended longer ago than their workflow keeps them; their rows, and so "
        "their IDs, stay for ever. The schedule `nightly` does it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which workflow, and whether to count only."""
        parser.add_argument("--workflow", help="only this one")
        parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prune, and say how many."""
        try:
            done = prune(options["workflow"], dry_run=options["dry_run"])
        except ContractError as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps([asdict(each) for each in done]))
            return
        verb = "would be pruned" if options["dry_run"] else "pruned"
        for each in done:
            self.stdout.write(
                f"{each.workflow}: {each.success} complete and {each.error} failed {verb}"
            )
