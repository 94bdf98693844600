"""`instances bulk`: order a verb for all that a filter finds, see how far it is, stop it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from workflows.bulk import VERBS, WORKFLOW, BulkVerb, start_bulk, stop_bulk
from workflows.cli.arguments import (
    add_filter,
    add_json,
    add_paging,
    add_signature,
    has_filter,
    json_value,
    read_filter,
)
from workflows.cli.console import Console
from workflows.errors import plain
from workflows.history import as_text
from workflows.listing import PAGE_MAX
from workflows.models import BulkOperation, Instance, Status


def add_yes(parser: ArgumentParser) -> None:
    """Declare that the question is answered already."""
    parser.add_argument("--yes", action="store_true", help="do not ask")


def declare_start(parser: ArgumentParser) -> None:
    """Declare `instances bulk start`."""
    parser.add_argument("name", choices=VERBS, metavar="VERB", help=", ".join(VERBS))
    parser.add_argument("--from", dest="first", type=plain, metavar="ENTRY", help="of a restart")
    parser.add_argument("--type", type=plain, help="of send-event")
    parser.add_argument("--payload", type=json_value, metavar="JSON", help="of send-event")
    add_filter(parser)
    add_yes(parser)
    add_signature(parser)
    add_json(parser)


def run_start(options: dict[str, Any], console: Console) -> bool:
    """Order a verb for a filter."""
    _refuse_what_does_not_go_with(options)
    verb = BulkVerb(options["name"], options["first"], options["type"], options["payload"])
    return order_bulk(verb, options, console)


def order_bulk(verb: BulkVerb, options: dict[str, Any], console: Console) -> bool:
    """Say how many the filter finds, ask, and order the verb for them.

    Raises:
        CommandError: no filter was said, or nobody could be asked; nothing was ordered.
    """
    if not has_filter(options):
        raise CommandError(
            f"say whom to {verb.name}: instance IDs, or a filter such as --status errored"
        )
    chosen = read_filter(options)
    found = chosen.instances()
    count = found.count()
    if not count:
        return _say_nothing_fits(console)
    forecast = console.foretell(verb.name, verb.entry, found)
    if not console.confirm(f"{verb.name} {instances(count)}?", yes=options["yes"]):
        raise CommandError("not confirmed; nothing was ordered")
    operation = start_bulk(verb, chosen, actor=options["actor"], why=options["why"])
    if console.as_json:
        told = {"forecast": forecast.fields} if forecast else {}
        console.document({"operation": _row(operation, None)} | told)
    else:
        console.line(
            f"Ordered {verb.name} for {instances(operation.total)}: operation {operation.pk}. "
            "See how far it is: instances bulk list"
        )
    return True


def declare_list(parser: ArgumentParser) -> None:
    """Declare `instances bulk list`."""
    parser.add_argument("--going", action="store_true", help="only what has not ended")
    parser.add_argument("--refusals", action="store_true", help="quote them too; JSON has them")
    add_paging(parser, cursor=int, limit=20)
    add_json(parser)


def run_list(options: dict[str, Any], console: Console) -> bool:
    """Print the operations, newest first."""
    operations, following = _read_page(options)
    ids = [f"{WORKFLOW}-{operation.pk}" for operation in operations]
    found = Instance.objects.filter(instance_id__in=ids).values_list("key", "status")
    status = {key: Status(value).label for key, value in found}
    rows = [_row(operation, status.get(str(operation.pk))) for operation in operations]
    if console.as_json:
        console.document({"operations": rows, "next": following})
        return True
    if not rows:
        console.line("No operation fits.")
        return True
    _print_table(rows, console, with_refusals=options["refusals"])
    if following is not None:
        console.line(f"\nMore: --after {following}")
    return True


def declare_stop(parser: ArgumentParser) -> None:
    """Declare `instances bulk stop`."""
    parser.add_argument("operation", type=int, help="its number, as bulk list shows it")
    add_json(parser)


def run_stop(options: dict[str, Any], console: Console) -> bool:
    """Stop an operation after the page that it is at."""
    number = options["operation"]
    if not BulkOperation.objects.filter(pk=number).exists():
        raise CommandError(f"no bulk operation has the number {number}; see instances bulk list")
    stopped = stop_bulk(number)
    if console.as_json:
        console.document({"operation": number, "stopped": stopped})
    elif stopped:
        console.line(f"Stopped operation {number}; what it has done stays done.")
    else:
        console.line(f"Operation {number} had ended already.")
    return True


def instances(count: int) -> str:
    """Return a number of instances in words."""
    return "1 instance" if count == 1 else f"{count:,} instances"


def _refuse_what_does_not_go_with(options: dict[str, Any]) -> None:
    name = options["name"]
    if name == "send-event" and options["type"] is None:
        raise CommandError("send-event needs --type, what the wait entry names")
    for option, given, verb in (
        ("--from", options["first"], "restart"),
        ("--type", options["type"], "send-event"),
        ("--payload", options["payload"], "send-event"),
    ):
        if given is not None and name != verb:
            raise CommandError(f"{option} goes with {verb}, not with {name}; nothing was ordered")


def _say_nothing_fits(console: Console) -> bool:
    if console.as_json:
        console.document({"operation": None})
    else:
        console.line("No instance fits; nothing was ordered.")
    return True


def _read_page(options: dict[str, Any]) -> tuple[list[BulkOperation], int | None]:
    found = BulkOperation.objects.order_by("-pk")
    if options["going"]:
        found = found.filter(state=BulkOperation.State.GOING)
    if options["after"] is not None:
        found = found.filter(pk__lt=options["after"])
    limit = max(1, min(options["limit"], PAGE_MAX))
    rows = list(found[: limit + 1])
    return rows[:limit], rows[limit - 1].pk if len(rows) > limit else None


def _row(operation: BulkOperation, instance_status: str | None) -> dict[str, Any]:
    names = ("verb", "parameters", "filter", "actor", "why", "state", "total", "done")
    more = ("unchanged", "refused", "refusals")
    return {
        "operation": operation.pk,
        "instance_id": f"{WORKFLOW}-{operation.pk}",
        "instance_status": instance_status,
        **{name: getattr(operation, name) for name in (*names, *more)},
        "created_at": as_text(operation.created_at),
        "finished_at": as_text(operation.finished_at),
    }


def _print_table(rows: list[dict[str, Any]], console: Console, *, with_refusals: bool) -> None:
    heads = ("NO", "VERB", "STATE", "FOUND", "DONE", "UNCHANGED", "REFUSED", "ACTOR", "FILTER")
    names = ("operation", "verb", "total", "done", "unchanged", "refused", "actor")
    console.table(heads, [_cells(row, names) for row in rows])
    for row in rows if with_refusals else []:
        for refusal in row["refusals"]:
            console.line(f"{row['operation']}: {' '.join(refusal.split())}")


def _cells(row: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, ...]:
    number, verb, *counts, actor = (row[name] for name in names)
    said = " ".join(f"{name}={_joined(value)}" for name, value in row["filter"].items())
    return (str(number), verb, _state(row), *counts, actor, said)


def _state(row: dict[str, Any]) -> str:
    """Return its state; of one whose instance does not go on by itself, that too."""
    stuck = row["instance_status"] in ("errored", "paused", "terminated")
    if row["state"] == BulkOperation.State.GOING and stuck:
        return f"{row['instance_id']} is {row['instance_status']}"
    return str(row["state"])


def _joined(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)
