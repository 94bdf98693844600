"""What the commands `demo` and `dev` share: the port, the terminal, and how they are stopped."""

import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from types import FrameType
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from publishing.demo.children import wait_until_ended
from publishing.demo.errors import DemoError
from publishing.demo.running import Platform

INTERRUPTED = 130  # the exit code of a program that Ctrl-C ended, by the shells' convention


class PlatformCommand(BaseCommand):
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
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        self.console = Console(no_color=True if options["no_color"] else None)
        try:
            self.run(**options)
        except DemoError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    def run(self, **options: Any) -> None:
        """Do what the command is for."""
        raise NotImplementedError

    def serve(self, running: Platform) -> None:
        """Serve until Ctrl-C."""
        self.console.print("Serving until Ctrl-C.", highlight=False)
        try:
            wait_until_ended(running.children)
        except KeyboardInterrupt:
            self.console.print("\nStopping; what is open goes on at the next start.")


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
