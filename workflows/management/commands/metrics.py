"""The command `metrics`: what GET /metrics answers, for node_exporter's textfiles and for eyes."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from workflows.metrics import render


class Command(BaseCommand):
    """Translate the command line into one call."""

    help = "Print the engine's metrics as Prometheus text; GET /metrics answers the same."
    requires_system_checks = []  # numbers only

    def handle(self, *args: Any, **options: Any) -> None:
        """Print them."""
        try:
            text, _ = render()
        except DatabaseError as error:
            raise CommandError(f"the database does not answer as it should: {error}") from None
        self.stdout.write(text.decode(), ending="")
