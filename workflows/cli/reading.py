"""`instances list`, `log` and `usage`: what there is and what has happened, many at a time."""

from argparse import ArgumentParser
from dataclasses import asdict
from datetime import datetime
from typing import Any

from workflows.cli.arguments import (
    add_filter,
    add_json,
    add_paging,
    past,
    read_filter,
    read_ids,
    words,
)
from workflows.cli.console import Console, moment
from workflows.errors import plain
from workflows.history import (
    BEGINNING,
    Cursor,
    LogPage,
    as_text,
    read_log,
    read_newest_log,
    summarise,
    tell,
)
from workflows.listing import list_instances
from workflows.models import LogEntry, Outcome
from workflows.usage import StepUsage, usage

START = "start"  # stands for the cursor before the first line


def declare_list(parser: ArgumentParser) -> None:
    """Declare `instances list`."""
    add_filter(parser)
    add_paging(parser, cursor=int, limit=50)
    add_json(parser)


def run_list(options: dict[str, Any], console: Console) -> bool:
    """Print one page of instances, newest first."""
    page = list_instances(read_filter(options), after=options["after"], limit=options["limit"])
    rows = [summarise(instance) for instance in page.instances]
    if console.as_json:
        console.document({"instances": rows, "next": page.next})
        return True
    if not rows:
        console.line("No instance fits.")
        return True
    heads = ("INSTANCE", "STATUS", "ENTRY", "PARTITION", "CREATED (UTC)", "ENDED (UTC)", "ERROR")
    console.table(heads, [_list_row(row) for row in rows])
    if page.next is not None:
        console.line(f"\nMore: --after {page.next}")
    return True


def declare_log(parser: ArgumentParser) -> None:
    """Declare `instances log`."""
    parser.add_argument("id", nargs="?", type=plain, help="only of this instance; or latest")
    parser.add_argument("--kind", type=words, default=(), help="such as errored,retry,terminate")
    add_paging(parser, cursor=str, limit=50, or_else=f"; {START}: from the first line on")
    add_json(parser)


def run_log(options: dict[str, Any], console: Console) -> bool:
    """Print the event log: its newest lines, or those that follow a cursor."""
    instance_id = read_ids([options["id"]])[0] if options["id"] else None
    page = _read_log(options["after"], options["limit"], options["kind"], instance_id)
    if console.as_json:
        rows = [
            {"instance_id": str(line.instance.instance_id)} | tell(line) for line in page.entries
        ]
        console.document({"log": rows, "next": str(page.next), "has_more": page.has_more})
        return True
    heads = ("AT (UTC)", "INSTANCE", "KIND", "ACTOR", "WHY")
    if page.entries:
        console.table(heads, [_log_row(line) for line in page.entries])
    console.line(f"\n{'More' if page.has_more else 'What comes later'}: --after {page.next}")
    return True


def declare_usage(parser: ArgumentParser) -> None:
    """Declare `instances usage`."""
    parser.add_argument("--since", type=past, default="24h", help="a moment, or 8h; default 24h")
    parser.add_argument("--until", type=past, default="0s", help="a moment, or 1h; default now")
    add_json(parser)


def run_usage(options: dict[str, Any], console: Console) -> bool:
    """Print what each step did in the time range."""
    since, until = options["since"], options["until"]
    steps = usage(since, until)
    if console.as_json:
        rows = [asdict(step) for step in steps]
        console.document({"since": as_text(since), "until": as_text(until), "steps": rows})
        return True
    console.line(f"From {moment(since)} to {moment(until)} UTC")
    console.line()
    heads = (
        "WORKFLOW",
        "ENTRY",
        "DONE",
        *(name.upper() for name in Outcome.values),
        "SECONDS",
        "MEAN",
        "LAST ERROR",
    )
    console.table(heads, [_usage_row(step) for step in steps])
    return True


def _list_row(row: dict[str, Any]) -> tuple[Any, ...]:
    error = row["error"] or {}
    return (
        row["instance_id"],
        state(row),
        row["entry"],
        row["partition"],
        _parsed(row["created_at"]),
        _parsed(row["finished_at"]),
        error.get("message"),
    )


def state(row: dict[str, Any]) -> str:
    """Return the status of a summary with what it waits for."""
    return f"{row['status']}: {row['waiting_for']}" if row["waiting_for"] else str(row["status"])


def _read_log(
    after: str | None, limit: int, kinds: tuple[str, ...], instance_id: str | None
) -> LogPage:
    if after is None:
        return read_newest_log(limit, kinds, instance_id)
    cursor = BEGINNING if after == START else Cursor.parse(after)
    return read_log(cursor, limit, kinds, instance_id)


def _log_row(line: LogEntry) -> tuple[Any, ...]:
    return (line.at, str(line.instance.instance_id), line.kind, line.actor, line.why)


def _usage_row(step: StepUsage) -> tuple[Any, ...]:
    counts = (step.outcomes[name] for name in Outcome.values)
    mean = step.mean_seconds
    return (step.workflow, step.entry, step.records, *counts, step.seconds, mean, step.last_error)


def _parsed(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
