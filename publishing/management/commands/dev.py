"""`manage.py dev`: the platform on this machine, to work with and to develop against."""

from argparse import ArgumentParser
from typing import Any

from publishing.demo.addresses import print_files, print_next, print_platform
from publishing.demo.command import PlatformCommand
from publishing.demo.preparing import make_admin, make_routine_key
from publishing.demo.running import platform


class Command(PlatformCommand):
    """What `demo` starts, without sample briefs: nothing is asked, and nothing paid by itself."""

    help = "Migrate, load the lanes, and run site, admin and workers until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the port and the switch."""
        super().add_arguments(parser)
        parser.add_argument(
            "--no-workers", action="store_true", help="run site and admin only; briefs stay queued"
        )

    def run(self, **options: Any) -> None:
        """Start what was asked for and serve."""
        with platform(port=options["port"], environment={}, tell=self.tell) as running:
            key, password = make_routine_key(), make_admin()
            if options["no_workers"]:
                self.tell("starting the site …")
            else:
                self.tell("starting workers and site …")
                running.start_workers()
            running.start_site()
            print_platform(self.console, address=running.address, password=password, key=key)
            print_files(self.console, running.children.logs)
            print_next(
                self.console,
                [
                    "manage.py submit_brief FILE              a brief of your own",
                    "manage.py create_routine NAME --lanes a  a routine with a key of its own",
                    "manage.py demo                           eight sample briefs",
                ],
            )
            self.serve(running)
