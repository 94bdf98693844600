"""Print all lanes with their current bundles and options, in the form that load_lanes reads."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from lanes.files import describe_lanes
from lanes.toml import write_lanes


class Command(BaseCommand):
    """The command."""

    help = "Print the lanes as TOML; load_lanes reads it. A lane without a bundle is left out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the switch."""
        parser.add_argument("--json", action="store_true", help="print JSON instead of TOML")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print them."""
        lanes = describe_lanes()
        if options["json"]:
            self.stdout.write(json.dumps({"lane": lanes}, indent=2, ensure_ascii=False))
            return
        self.stdout.write(write_lanes(lanes), ending="")
