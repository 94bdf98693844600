"""Load lanes, their bundles, options and graphs from a TOML file; twice changes nothing."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lanes.files import LanesFileError, read_lanes
from lanes.loading import Loaded, load_lanes

DEFAULT_FILE = Path(__file__).resolve().parents[2] / "lanes.toml"


class Command(BaseCommand):
    """The command."""

    help = "Load lanes from a TOML file; everything is checked before anything is written."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the file and the switches."""
        parser.add_argument("file", nargs="?", type=Path, default=DEFAULT_FILE, metavar="FILE")
        parser.add_argument(
            "--overwrite",
            action="store_true",
            help="the file wins over what was edited in the admin since it was loaded",
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, prove, write, and say what was done."""
        file: Path = options["file"]
        try:
            lanes = read_lanes(file)
            done = load_lanes(lanes, source=file.name, overwrite=options["overwrite"])
        except LanesFileError as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps([asdict(lane) for lane in done], indent=2))
            return
        for lane in done:
            self.stdout.write(_line(lane))


def _line(done: Loaded) -> str:
    said = ["created"] if done.created else []
    if done.bundle:
        said.append(f"bundle {done.bundle} in use")
    if done.options:
        said.append(f"options {done.options} in use")
    if done.graph is not None:
        said.append(f"graph {done.graph} in use" if done.graph else "back on the spine")
    if done.updated:
        said.append(f"{', '.join(done.updated)} taken from the file")
    if done.kept:
        said.append(f"{', '.join(done.kept)} edited since and kept (--overwrite takes the file's)")
    return f"{done.lane}: {'; '.join(said) or 'nothing new'}"
