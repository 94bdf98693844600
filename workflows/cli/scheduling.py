"""`instances schedules`: workflows that start at set times."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from workflows.cli.arguments import add_json, json_value
from workflows.cli.console import Console, moment
from workflows.errors import plain
from workflows.history import as_text
from workflows.models import Schedule
from workflows.schedules import save_schedule, turn_off, turn_on


def declare_list(parser: ArgumentParser) -> None:
    """Declare `instances schedules list`."""
    add_json(parser)


def run_list(options: dict[str, Any], console: Console) -> bool:
    """Print all schedules, by name."""
    schedules = Schedule.objects.order_by("name")
    if console.as_json:
        console.document({"schedules": [_row(schedule) for schedule in schedules]})
        return True
    if not schedules:
        console.line("There is no schedule.")
        return True
    heads = ("NAME", "WORKFLOW", "CRON (UTC)", "PARTITION", "ON", "NEXT (UTC)", "LAST (UTC)")
    console.table(heads, [_cells(schedule) for schedule in schedules])
    return True


def declare_save(parser: ArgumentParser) -> None:
    """Declare `instances schedules save`."""
    parser.add_argument("name", type=plain, help="a-z, 0-9 and _; a part of the IDs")
    parser.add_argument("--workflow", type=plain, required=True, help="what is started")
    parser.add_argument(
        "--cron", type=plain, required=True, help="five fields in UTC: '15 3 * * *'"
    )
    parser.add_argument(
        "--entries", type=json_value, required=True, metavar="JSON", help="the graph; or @FILE, -"
    )
    parser.add_argument(
        "--envelope", type=json_value, metavar="JSON", help="default {}; or @FILE, -"
    )
    parser.add_argument("--partition", type=plain, default="", help="default the workflow's name")
    parser.add_argument("--off", action="store_true", help="save it, and start nothing")
    add_json(parser)


def run_save(options: dict[str, Any], console: Console) -> bool:
    """Make a schedule, or replace the one of this name."""
    entries, envelope = options["entries"], options["envelope"]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CommandError('--entries is a JSON list of objects, such as [{"step": "prune_ended"}]')
    if not isinstance(envelope, dict | None):
        raise CommandError("--envelope is a JSON object")
    saved = save_schedule(
        options["name"],
        workflow=options["workflow"],
        cron=options["cron"],
        entries=entries,
        envelope=envelope,
        partition=options["partition"],
        is_on=not options["off"],
    )
    return _say(saved, console)


def declare_turn(parser: ArgumentParser) -> None:
    """Declare `instances schedules on` and `off`."""
    parser.add_argument("name", type=plain)
    add_json(parser)


def run_turn(options: dict[str, Any], console: Console, *, on: bool) -> bool:
    """Let a schedule start its workflow, or no longer."""
    return _say(turn_on(options["name"]) if on else turn_off(options["name"]), console)


def _say(schedule: Schedule, console: Console) -> bool:
    if console.as_json:
        console.document({"schedule": _row(schedule)})
    elif schedule.is_on:
        console.line(
            f"{schedule.name} starts {schedule.workflow} next at {moment(schedule.next_at)} UTC."
        )
    else:
        console.line(f"{schedule.name} is off and starts nothing.")
    return True


def _row(schedule: Schedule) -> dict[str, Any]:
    names = ("name", "workflow", "cron", "partition", "entries", "envelope", "is_on")
    return {
        **{name: getattr(schedule, name) for name in names},
        "next_at": as_text(schedule.next_at),
        "last_at": as_text(schedule.last_at),
    }


def _cells(schedule: Schedule) -> tuple[Any, ...]:
    return (
        schedule.name,
        schedule.workflow,
        schedule.cron,
        schedule.partition,
        "on" if schedule.is_on else "off",
        schedule.next_at if schedule.is_on else None,
        schedule.last_at,
    )
