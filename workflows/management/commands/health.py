"""The command `health`: whether workers live and take what is due, for a supervisor."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import psycopg
from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError

from workflows.connection import PING, EngineConnection
from workflows.health import Health, in_words, read_health


class Command(BaseCommand):
    """Translate the command line into one call."""

    help = (
        "Say whether workers live and take what is due; exit 1 if not, with a line for each "
        "finding that says what to do. Warnings alone exit 0."
    )
    requires_system_checks = []  # it says itself what is wrong, and quickly

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the output."""
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was found, and end accordingly."""
        try:
            health = _read()
        except (psycopg.Error, DatabaseError) as error:
            self._say_away(_first_line(error), as_json=options["json"])
            sys.exit(1)
        if options["json"]:
            answer = {"healthy": health.is_healthy} | asdict(health)
            self.stdout.write(json.dumps(answer, cls=DjangoJSONEncoder))
        else:
            self.stdout.write("\n".join(_lines(health)))
        if not health.is_healthy:
            sys.exit(1)

    def _say_away(self, why: str, *, as_json: bool) -> None:
        finding = {
            "code": "no-database",
            "message": f"the database does not answer as it should: {why}",
            "remedy": "look at DATABASE_URL and at the server; a new database needs "
            "manage.py migrate",
            "is_failure": True,
        }
        if as_json:
            self.stdout.write(json.dumps({"healthy": False, "findings": [finding]}))
        else:
            self.stdout.write(f"failure: {finding['message']}: {finding['remedy']}")


def _read() -> Health:
    """Connect directly first: a pool would hide for 20 s that nobody answers."""
    probe = EngineConnection("presswork health")
    try:
        probe.fetch(PING, {})
    finally:
        probe.close()
    return read_health()


def _lines(health: Health) -> Iterator[str]:
    for finding in health.findings:
        kind = "failure" if finding.is_failure else "warning"
        yield f"{kind}: {finding.message}: {finding.remedy}"
    hosts = sorted({drain.host for drain in health.beating})
    where = f" on {', '.join(hosts)}" if hosts else ""
    oldest = health.queue_age_seconds
    waits = f", the oldest for {oldest:.1f} s" if oldest is not None else ""
    verdict = "healthy" if health.is_healthy else "not healthy"
    yield f"{verdict}: {len(health.beating)} drains beat{where}; {in_words(health.due)} due{waits}"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(": ")
