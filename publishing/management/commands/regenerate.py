"""Pay again for a brief, from an entry on, with the worst case shown first."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from publishing.regeneration import RegenerationEstimate, estimate_regeneration, regenerate
from workflows import verbs
from workflows.cli.arguments import add_json, add_signature
from workflows.cli.console import Console
from workflows.errors import WorkflowError, plain

_MICROS = 1_000_000


class Command(BaseCommand):
    """`regenerate ID ENTRY --why …`: new text for the same brief, under the same cap."""

    help = "Pays again for a brief's steps from an entry on; says first what it may cost."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the instance, the entry and the bundle."""
        parser.add_argument("id", type=plain, help="the whole instance ID")
        parser.add_argument("entry", type=plain, help="the first entry that runs again")
        parser.add_argument("--bundle", choices=["same", "current"], default="same")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        add_signature(parser)
        add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Show the worst case, ask, and regenerate."""
        console = Console(out=self.stdout, err=self.stderr, as_json=options["json"])
        try:
            generation = verbs.get_instance(options["id"]).generation
            estimate = estimate_regeneration(options["id"], options["entry"])
            if not console.confirm(_question(estimate), yes=options["yes"]):
                raise CommandError("nothing was paid or changed")
            made = regenerate(
                options["id"],
                options["entry"],
                actor=options["actor"],
                why=options["why"],
                bundle=options["bundle"],
                generation=generation,
            )
        except WorkflowError as refused:
            raise CommandError(str(refused)) from None
        told = {"instance_id": options["id"], "regeneration": made.number} | asdict(estimate)
        if console.as_json:
            console.out.write(json.dumps(told, indent=2))
        else:
            console.line(f"{options['id']}: regenerates from {options['entry']} on")


def _question(estimate: RegenerationEstimate) -> str:
    return (
        f"This pays again, at most ${estimate.worst_micros / _MICROS:.2f}; the brief's cap has "
        f"${estimate.left_micros / _MICROS:.2f} left. Regenerate?"
    )
