"""Make a routine, or give one that exists a further key."""

import json
import shlex
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from lanes.models import Lane
from publishing.keys import make_key
from publishing.models import Routine


class Command(BaseCommand):
    """`create_routine NAME --lanes a,b`; the key is the last line, and is never shown again."""

    help = (
        "Make a routine that may post to the lanes, and print a ready curl and its key. A routine"
        " that exists gets a further key, for rotation; lanes and rate that are given replace its"
        " own."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare name, lanes, rate and the form of the output."""
        parser.add_argument("name")
        parser.add_argument("--lanes", help="names of lanes, separated by commas")
        parser.add_argument("--rate", type=int, help="most new briefs a minute; default no limit")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make routine and key in one transaction."""
        lanes = _find_lanes(options["lanes"])
        if options["rate"] is not None and options["rate"] < 1:
            raise CommandError("--rate is the most new briefs a minute, 1 or more")
        if not 0 < len(options["name"]) <= 80:
            raise CommandError("a routine's name has 1 to 80 characters")
        with transaction.atomic():
            routine = _make_routine(options["name"], lanes, options["rate"])
            key = make_key(routine)
        names = list(routine.lanes.values_list("name", flat=True))
        if options["json"]:
            made = {
                "routine": routine.name,
                "lanes": names,
                "rate_per_minute": routine.rate_per_minute,
            }
            self.stdout.write(json.dumps(made | {"curl": _curl(key, names), "key": key}))
            return
        self.stdout.write(f"{routine.name} may post to {', '.join(names)}. Try:\n\n")
        self.stdout.write(_curl(key, names) + "\n\n")
        self.stdout.write("Its key, which is shown only now:")
        self.stdout.write(key)


def _find_lanes(given: str | None) -> list[Lane] | None:
    if given is None:
        return None
    names = [name.strip() for name in given.split(",") if name.strip()]
    lanes = {lane.name: lane for lane in Lane.objects.all()}
    known = ", ".join(lanes) or "none yet: run load_lanes"
    if not names:
        raise CommandError(f"--lanes names none; there are {known}")
    for name in names:
        if name not in lanes:
            raise CommandError(f"there is no lane {name!r}; there are {known}")
    return [lanes[name] for name in names]


def _make_routine(name: str, lanes: list[Lane] | None, rate: int | None) -> Routine:
    routine, is_new = Routine.objects.get_or_create(name=name)
    if is_new and lanes is None:
        raise CommandError(f"routine {name!r} is new: say --lanes a,b")
    if lanes is not None:
        routine.lanes.set(lanes)
    if rate is not None:
        routine.rate_per_minute = rate
        routine.save(update_fields=["rate_per_minute"])
    return routine


def _curl(key: str, lanes: list[str]) -> str:
    brief = {
        "brief_id": "my-first-brief",
        "lane": lanes[0] if lanes else "LANE",
        "title": "A title",
        "summary": "What the article is to say.",
    }
    return (
        f"curl -i {settings.SITE_URL}/api/admin/publish"
        f" -H 'Authorization: Bearer {key}'"
        f" -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(brief))}"
    )
