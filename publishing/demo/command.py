"""What the commands `demo` and `dev` share: the port, the terminal, and how they are stopped."""

import signal
import sys
from abc import ABC, abstractmethod
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from rich.console import Console

from publishing.demo.children import STOP_SIGNALS, interrupt_once, wait_until_ended
from publishing.demo.errors import DemoError
from publishing.demo.running import Platform

INTERRUPTED = 130  # the exit code of a program that Ctrl-C ended, by the shells' convention


class PlatformCommand(BaseCommand, ABC):
    """A command that runs the platform until it is stopped."""

    console: Console

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the port."""
        parser.add_argument(
            "--port",
            type=_port,
            metavar="N",
            help="port of 127.0.0.1; without it the first free one from 8000",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run, and end as one expects of a program in a terminal."""
        for number in STOP_SIGNALS:
            signal.signal(number, interrupt_once)
        self.console = Console(no_color=True if options["no_color"] else None)
        try:
            self.run(**options)
        except CommandError:  # the embedded server's are operational errors too
            raise
        except DemoError as error:
            raise CommandError(str(error)) from None
        except OperationalError as error:
            raise CommandError(f"the database does not serve: {str(error).strip()}") from None
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    @abstractmethod
    def run(self, **options: Any) -> None:
        """Do what the command is for."""

    def tell(self, text: str) -> None:
        """Print a line as it is, whatever the width of the terminal."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def serve(self, running: Platform) -> None:
        """Serve until Ctrl-C."""
        self.tell("Serving until Ctrl-C.")
        try:
            wait_until_ended(running.children)
        except KeyboardInterrupt:
            self.tell("\nStopping; what is open goes on at the next start.")


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)
