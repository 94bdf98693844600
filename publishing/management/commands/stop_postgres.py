"""The command `stop_postgres`: end the embedded Postgres of DATA_DIR."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from publishing.embedded_postgres.server import stop


class Command(BaseCommand):
    """Translate the command line into one call."""

    help = "End the embedded Postgres of DATA_DIR, if it runs; what was committed is kept."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """End the server, and say whether there was one."""
        ended = stop(settings.DATA_DIR)
        if options["verbosity"]:
            self.stdout.write("Postgres has ended." if ended else "No Postgres was running.")
