"""What a command prints: aligned columns for people, one JSON document for programs."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError, OutputWrapper
from django.db.models import QuerySet

from workflows.cli.forecasting import Forecast, Forecaster, foretell_nothing
from workflows.models import Instance

GAP = "  "
CELL_CHARACTERS_MAX = 60


@dataclass(frozen=True)
class Console:
    """The two streams of a command, and which form was asked for.

    Attributes:
        as_json: print one JSON document on stdout and nothing else.
        forecaster: what is said before a verb is confirmed.
    """

    out: OutputWrapper
    err: OutputWrapper
    as_json: bool
    forecaster: Forecaster = foretell_nothing

    def document(self, value: Any) -> None:
        """Print JSON; once a run."""
        self.out.write(json.dumps(value, indent=2, ensure_ascii=False))

    def line(self, text: str = "") -> None:
        """Print a line for people."""
        self.out.write(printable(text))

    def note(self, text: str) -> None:
        """Print a line beside the result, so that what reads stdout is not disturbed."""
        self.err.write(printable(text))

    def table(
        self, heads: Sequence[str], rows: Sequence[Sequence[Any]], *, indent: str = ""
    ) -> None:
        """Print rows in aligned columns; numbers stand to the right, None is a dash."""
        texts = [list(heads), *([cell(value) for value in row] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        is_number = [
            all(isinstance(row[at], int | float) for row in rows) for at in range(len(heads))
        ]
        for row in texts:
            aligned = (
                text.rjust(width) if right else text.ljust(width)
                for text, width, right in zip(row, widths, is_number, strict=True)
            )
            self.line(indent + GAP.join(aligned).rstrip())

    def foretell(self, verb: str, entry: str | None, chosen: QuerySet[Instance]) -> Forecast | None:
        """Say what the verb may cost, beside the result; return it, where there is anything."""
        forecast = self.forecaster(verb, entry, chosen)
        if forecast is not None:
            self.note(forecast.words)
        return forecast

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask y/N on the terminal.

        Args:
            question: what will happen.
            yes: it was said on the command line already.

        Raises:
            CommandError: there is no terminal to ask on.
        """
        if yes:
            return True
        if not sys.stdin.isatty():
            raise CommandError(f"{question} There is no terminal to ask: add --yes")
        self.err.write(f"{question} [y/N] ", ending="")
        self.err.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def cell(value: Any) -> str:
    """Return a value as a column shows it: on one line, and cut."""
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    text = " ".join(str(value).split())
    return text if len(text) <= CELL_CHARACTERS_MAX else f"{text[: CELL_CHARACTERS_MAX - 1]}…"


def moment(value: datetime | str | None) -> str:
    """Return a moment, or its JSON form, to the second, in UTC."""
    if not value:
        return "-"
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def printable(text: str) -> str:
    """Return the text without what would steer a terminal: data may come from anybody."""
    return "".join(
        each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text
    )
