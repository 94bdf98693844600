"""The command `spend`: what was paid, what the caps have left, what was not paid twice."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from publishing.ledger.errors import MissingCapError
from publishing.ledger.savings import Savings, read_savings
from publishing.ledger.spend import (
    GROUPS,
    Page,
    SpendFilter,
    SpendFilterError,
    Sums,
    list_calls,
    stamp,
    sum_spend,
)
from publishing.ledger.standing import Standing, read_standings
from workflows.cli.console import GAP, Console, cell, moment


class Command(BaseCommand):
    """`spend [--by GROUP | --calls]`; exit 1 where it cannot be answered, 2 if misspelt."""

    help = (
        "Show what was paid since 30 days ago, what each cap has spent, held and left now, and "
        "what would have cost more. Days and moments are UTC; a call counts on the day on which "
        "its money was set aside."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the span, what narrows it, and the form of the output."""
        parser.add_argument("--since", default="", help="a day or moment; default 30 days ago")
        parser.add_argument("--until", default="", help="a day (included) or moment (not included)")
        for name in ("lane", "entry", "model", "brief"):
            parser.add_argument(f"--{name}", default="", help=f"only calls of this {name}")
        shown = parser.add_mutually_exclusive_group()
        shown.add_argument("--by", choices=sorted(GROUPS), help="a row for each of these")
        shown.add_argument("--calls", action="store_true", help="each call, the newest first")
        parser.add_argument("--limit", type=int, default=100, help="calls on a page, to 1000")
        parser.add_argument("--after", type=int, help="go on after this cursor of --calls")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read the ledger; what is refused is one line, and with --json a document too."""
        console = Console(self.stdout, self.stderr, as_json=options["json"])
        if options["after"] is not None and not options["calls"]:
            raise CommandError("--after goes on with a list of calls: add --calls", returncode=2)
        try:
            _show(console, options, datetime.now(UTC))
            self.stdout.flush()
        except BrokenPipeError:  # of `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (SpendFilterError, MissingCapError) as error:
            if console.as_json:
                console.document({"error": str(error)})
            raise CommandError(str(error)) from None


def _show(console: Console, options: dict[str, Any], now: datetime) -> None:
    asked = SpendFilter.parse(
        since=options["since"],
        until=options["until"],
        now=now,
        lane=options["lane"],
        entry=options["entry"],
        model=options["model"],
        brief_id=options["brief"],
    )
    if options["calls"]:
        _show_calls(
            console, asked, list_calls(asked, after=options["after"], limit=options["limit"])
        )
    elif options["by"]:
        _show_groups(console, asked, options["by"], sum_spend(asked, by=options["by"]))
    else:
        (sums,) = sum_spend(asked)
        _show_all(console, asked, sums, read_standings(now), read_savings(asked, sums))


def _show_calls(console: Console, asked: SpendFilter, page: Page) -> None:
    if console.as_json:
        console.document({"filter": asked.as_json(), "calls": page.calls, "after": page.after})
        return
    heads = ("call", "made", "state", "cost", "hold", "in", "cached", "out", "served", "model",
             "request", "key", "outcome")  # fmt: skip
    names = ("call", "created_at", "state", "cost_micros", "held_micros", "input_tokens",
             "cached_tokens", "output_tokens", "served", "model", "request_id", "key",
             "outcome")  # fmt: skip
    rows = [[_shown(name, call[name]) for name in names] for call in page.calls]
    _table(console, heads, rows, empty="No call was made in this span.")
    if page.after is not None:
        console.note(f"There are more: add --after {page.after}")


def _show_groups(console: Console, asked: SpendFilter, by: str, groups: Sequence[Sums]) -> None:
    if console.as_json:
        listed = [{by: each.name} | _without_name(each) for each in groups]
        console.document({"filter": asked.as_json(), "by": by, "sums": listed})
        return
    heads = (by, "calls", "paid", "cost", "lost", "held", "in", "cached", "out", "served",
             "would have cost")  # fmt: skip
    rows = [
        [each.name, each.calls, each.paid, dollars(each.cost_micros), dollars(each.lost_micros),
         dollars(each.held_micros), each.input_tokens, each.cached_tokens, each.output_tokens,
         each.served, dollars(each.saved_micros)]
        for each in groups
    ]  # fmt: skip
    _table(console, heads, rows, empty="No call was made in this span.")


def _show_all(
    console: Console,
    asked: SpendFilter,
    sums: Sums,
    standings: Sequence[Standing],
    savings: Savings,
) -> None:
    if console.as_json:
        console.document(
            {
                "filter": asked.as_json(),
                "sums": _without_name(sums),
                "caps": [_standing_json(each) for each in standings],
                "would_have_cost": asdict(savings)
                | {"would_have_cost_micros": savings.would_have_cost_micros},
            }
        )
        return
    console.line(f"{moment(asked.since)} to {moment(asked.until)} UTC")
    console.line(
        f"{dollars(sums.cost_micros)} was paid for {sums.paid:,} of {sums.calls:,} calls;"
        f" {dollars(sums.lost_micros)} of it brought no answer."
        f" {dollars(sums.held_micros)} is held by open calls."
    )
    console.line(
        f"{sums.input_tokens:,} tokens in, {sums.cached_tokens:,} of them from the cache;"
        f" {sums.output_tokens:,} out."
    )
    console.line(
        f"Not paid again: {savings.served:,} answers served from the memo would have cost"
        f" {dollars(savings.served_micros)}, {savings.duplicates:,} absorbed duplicates"
        f" {dollars(savings.duplicates_micros)}."
    )
    console.line()
    heads = ("cap", "of", "at most", "spent", "held", "left")
    rows = [
        [each.scope, each.name or "each" if not each.bucket else each.name or "everything",
         dollars(each.cap_micros), *_used(each)]
        for each in standings
    ]  # fmt: skip
    _table(console, heads, rows, empty="")


def dollars(micros: int) -> str:
    """Return dollars to the micro-dollar, so that columns of them stand under each other."""
    return f"${micros // 1_000_000:,}.{micros % 1_000_000:06d}"


def _used(each: Standing) -> list[str | None]:
    if not each.bucket:
        return [None, None, None]
    return [dollars(each.spent_micros), dollars(each.held_micros), dollars(each.left_micros)]


def _standing_json(each: Standing) -> dict[str, Any]:
    used = ["spent_micros", "held_micros"]
    row = {key: value for key, value in asdict(each).items() if each.bucket or key not in used}
    if each.bucket:
        row["left_micros"] = each.left_micros
    return row | {"resets_at": stamp(each.resets_at) if each.resets_at else None}


def _without_name(sums: Sums) -> dict[str, Any]:
    return {key: value for key, value in asdict(sums).items() if key != "name"}


def _shown(name: str, value: Any) -> Any:
    if name.endswith("_micros"):
        return dollars(value)
    return moment(value) if name == "created_at" else value


def _table(
    console: Console, heads: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str
) -> None:
    """Print aligned columns, money to the right like numbers."""
    if not rows:
        console.line(empty)
        return
    texts = [list(heads), *([cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    is_right = [all(map(_is_amount, column)) for column in zip(*rows, strict=True)]
    for row in texts:
        aligned = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, is_right, strict=True)
        )
        console.line(GAP.join(aligned).rstrip())


def _is_amount(value: Any) -> bool:
    return value is None or isinstance(value, int) or str(value).startswith("$")
