"""`manage.py demo`: eight briefs become eight articles before your eyes."""

from argparse import ArgumentParser
from contextlib import ExitStack, closing
from typing import Any

from django.conf import settings

from publishing.demo.addresses import (
    instance_page,
    print_articles,
    print_files,
    print_next,
    print_platform,
)
from publishing.demo.breaking import (
    BROKEN_LANE,
    BreakableStore,
    publish_with_broken_cover,
    publish_with_kill,
)
from publishing.demo.briefs import load_briefs
from publishing.demo.client import Answer, RoutineClient
from publishing.demo.command import PlatformCommand
from publishing.demo.consent import agree_to_cost
from publishing.demo.errors import DemoError
from publishing.demo.preparing import make_admin, make_routine_key
from publishing.demo.running import Platform, platform
from publishing.demo.sample import SampleRun

_PLANNED = f"the {BROKEN_LANE} article failed on purpose and is left for you to retry in the admin"


class Command(PlatformCommand):
    """The demo."""

    help = (
        "Migrate, load the lanes, run site, admin and workers, post eight sample briefs over HTTP"
        " and show how they become articles; then serve until Ctrl-C."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the port and the switches."""
        super().add_arguments(parser)
        parser.add_argument(
            "--exit", action="store_true", help="end afterwards; 0 only if every article answers"
        )
        parser.add_argument(
            "--break",
            action="store_true",
            dest="breaks",
            help="kill the workers in mid-article, and leave one cover for you to retry",
        )
        parser.add_argument(
            "--yes", action="store_true", help="agree to what it costs, where a key is set"
        )

    def run(self, **options: Any) -> None:
        """Publish the sample briefs and serve what came of them."""
        with ExitStack() as stack:
            store = None
            if options["breaks"]:
                store = stack.enter_context(BreakableStore(settings.MEDIA_ROOT))
            running = stack.enter_context(
                platform(
                    port=options["port"],
                    environment=store.environment() if store else {},
                    tell=self.tell,
                )
            )
            briefs = load_briefs(running.sources)
            agree_to_cost(briefs, self.console, agreed=options["yes"])
            key = make_routine_key()
            self.tell("starting workers and site …")
            workers = running.start_workers()
            running.start_site()
            client = stack.enter_context(
                closing(RoutineClient(running.address, key, check=running.children.check))
            )
            run = SampleRun(client, self.console)
            broken = self._publish(run, briefs, store, workers)
            ok = run.all_answer(but=broken)
            client.close()  # so that no idle connection holds up the site's end
            if options["exit"]:
                self._end(run, running, broken, ok=ok)
            else:
                self._show(run, running, broken, key=key)
                self.serve(running)

    def _publish(
        self,
        run: SampleRun,
        briefs: list[Answer],
        store: BreakableStore | None,
        workers: int,
    ) -> str | None:
        """Publish the briefs; return the ID of the instance that was left broken on purpose."""
        if store is None:
            run.publish(briefs)
            run.post_again(briefs[0])
            return None
        whole = [brief for brief in briefs if brief["lane"] != BROKEN_LANE]
        (last,) = (brief for brief in briefs if brief["lane"] == BROKEN_LANE)
        publish_with_kill(run, whole, store, workers)
        run.post_again(briefs[0])
        return publish_with_broken_cover(run, last, store)

    def _end(self, run: SampleRun, running: Platform, broken: str | None, *, ok: bool) -> None:
        """Say what came of it, without addresses and secrets of a site that ends now."""
        print_articles(self.console, run.answers.values(), address="")
        if broken is not None:
            self.tell(f"\n{_PLANNED}: `make demo` serves it again, with a store that works")
        self.console.print()
        print_files(self.console, running.children.logs)
        if not ok:
            raise DemoError("not every article answers 200: see above and the logs")

    def _show(self, run: SampleRun, running: Platform, broken: str | None, *, key: str) -> None:
        """Print every address, and what to try next."""
        first = next(iter(run.answers))
        print_articles(self.console, run.answers.values(), address=running.address)
        print_platform(
            self.console, address=running.address, password=make_admin(), key=key, reads=first
        )
        print_files(self.console, running.children.logs)
        print_next(self.console, _next_lines(running.address, first, broken))


def _next_lines(address: str, first: str, broken: str | None) -> list[str]:
    if broken is not None:
        return [
            f"{_PLANNED}:",
            f"open {instance_page(address, broken)}",
            "and press `Retry failed step`: the store takes the cover now",
            "then look at its waterfall: the six stages before it were not run again",
        ]
    return [
        f"open {instance_page(address, first)}",
        "make demo ARGS=--break        workers are killed in mid-article, one cover fails",
        "manage.py submit_brief FILE   a brief of your own",
    ]
