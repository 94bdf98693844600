"""The command `bench NAME`: measure one side of the product on this machine."""

from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from publishing.benches import BENCHES, OPTIONS
from publishing.benches.report import BenchError, Report, Size
from workflows.cli.console import Console


class Command(BaseCommand):
    """`bench NAME [--quick] [--json]`; exit 1 where the work was not done as counted."""

    help = (
        "Measure in a scratch database, made for it and dropped at the end; the operator's is "
        "not touched, and nothing is paid. Figures are medians of several rounds."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what is measured, how much, and the form of the output."""
        parser.add_argument("name", choices=sorted(BENCHES))
        parser.add_argument(
            "--quick", action="store_true", help="only show that it works; figures mean nothing"
        )
        parser.add_argument(
            "--only",
            type=lambda text: text.split(","),
            metavar="PART,…",
            help="of `engine`: throughput, alone, creates, claims, accidents, crowd",
        )
        parser.add_argument(
            "--peers", type=Path, metavar="DIR", help="of `engine`: run the peers' benches beside"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure, and print the figures with the machine that they hold for."""
        size = Size.QUICK if options["quick"] else Size.FULL
        name = options["name"]
        chosen = {each: options[each] for each in ("only", "peers") if options[each] is not None}
        if refused := chosen.keys() - OPTIONS.get(name, frozenset()):
            raise CommandError(f"`bench {name}` takes no --{', --'.join(sorted(refused))}")
        try:
            report = import_module(BENCHES[name]).measure(size, **chosen)
        except BenchError as error:
            raise CommandError(str(error)) from error
        console = Console(self.stdout, self.stderr, as_json=options["json"])
        if console.as_json:
            console.document(report.as_json())
        else:
            _show(console, report)


def _show(console: Console, report: Report) -> None:
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    console.line(f"bench {report.bench}, {report.at:%Y-%m-%d %H:%M} UTC, {machine}")
    console.line()
    rows = [
        [figure.name, figure.value, min(figure.rounds), max(figure.rounds), figure.unit,
         figure.remark]
        for figure in report.figures
    ]  # fmt: skip
    console.table(("figure", "median", "least", "most", "unit", ""), rows)
    console.line()
    counted = ", ".join(f"{name} {count:,}" for name, count in report.counted.items())
    console.line(f"Counted, and found so in the database: {counted}.")
