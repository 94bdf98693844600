"""`instances show`: everything that is kept of one instance."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from workflows.cli.arguments import add_json, read_ids
from workflows.cli.console import Console, moment
from workflows.cli.reading import state
from workflows.errors import plain
from workflows.history import describe

INDENT = "  "


def declare_show(parser: ArgumentParser) -> None:
    """Declare `instances show`."""
    parser.add_argument("id", type=plain, help="a whole instance ID, or latest")
    parser.add_argument(
        "--outputs", action="store_true", help="the envelope and the outputs too; JSON has them"
    )
    add_json(parser)


def run_show(options: dict[str, Any], console: Console) -> bool:
    """Print one instance."""
    described = describe(read_ids([options["id"]])[0])
    if console.as_json:
        console.document(described)
        return True
    _show_head(described, console)
    _show_entries(described, console)
    _show_lines(described, console)
    if options["outputs"]:
        _show_outputs(described, console)
    return True


def _show_head(described: dict[str, Any], console: Console) -> None:
    console.line(described["instance_id"])
    for name, value in _facts(described):
        console.line(f"{INDENT}{name:<12}{value}")


def _facts(described: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "status", state(described)
    if error := described["error"]:
        yield "error", _one_line(error)
    yield "partition", described["partition"]
    yield "trigger", described["trigger"]
    yield "generation", described["generation"]
    for name in ("created", "started", "finished", "due", "pruned"):
        if at := described[f"{name}_at"]:
            yield name, f"{moment(at)} UTC"


def _show_entries(described: dict[str, Any], console: Console) -> None:
    console.line()
    heads = ("ENTRY", "STATUS", "ATTEMPT", "STARTED (UTC)", "FINISHED (UTC)", "SECONDS", "ERROR")
    console.table(
        heads, [row for entry in described["entries"] for row in _tries(entry)], indent=INDENT
    )


def _tries(entry: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each attempt that ended without a record, then the entry's own."""
    for each in entry["attempts"]:
        error = _one_line(each["error"]) if each["error"] else None
        times = _times(each)
        yield (entry["name"], each["outcome"], str(each["number"]), *times, error)
    if entry["status"] != "errored" or not entry["attempts"]:
        number = None if entry["attempt"] is None else str(entry["attempt"])
        yield (entry["name"], entry["status"], number, *_times(entry), None)


def _times(row: dict[str, Any]) -> tuple[Any, ...]:
    started, finished = (
        datetime.fromisoformat(row[name]) if row[name] else None
        for name in ("started_at", "finished_at")
    )
    took = (finished - started).total_seconds() if started and finished else None
    return (started, finished, None if took is None else f"{took:,.2f}")


def _show_lines(described: dict[str, Any], console: Console) -> None:
    for title, heads, names in (
        ("log", ("AT (UTC)", "KIND", "ACTOR", "WHY"), ("at", "kind", "actor", "why")),
        (
            "events",
            ("SENT (UTC)", "TYPE", "SENDER", "TAKEN (UTC)"),
            ("sent_at", "type", "sender", "taken_at"),
        ),
    ):
        if rows := described[title]:
            console.line()
            console.table(
                heads, [[_read(row, name) for name in names] for row in rows], indent=INDENT
            )


def _read(row: dict[str, Any], name: str) -> Any:
    value = row[name]
    return datetime.fromisoformat(value) if value and name.endswith("at") else value


def _show_outputs(described: dict[str, Any], console: Console) -> None:
    outputs = {entry["name"]: entry["output"] for entry in described["entries"] if entry["attempt"]}
    for name, value in {"envelope": described["envelope"], **outputs}.items():
        console.line(f"\n{INDENT}{name}")
        text = json.dumps(value, indent=2, ensure_ascii=False)
        console.line("\n".join(f"{INDENT}{INDENT}{line}" for line in text.splitlines()))


def _one_line(error: dict[str, Any]) -> str:
    return " ".join(f"{error.get('type', 'Error')}: {error.get('message', '')}".split())
