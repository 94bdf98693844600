"""`manage.py demo`: eight briefs become eight articles before your eyes."""

from argparse import ArgumentParser
from contextlib import ExitStack, closing
from typing import Any

from django.conf import settings

from publishing.demo.addresses import instance_page, print_articles, print_next, print_platform
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
from publishing.demo.running import platform
from publishing.demo.sample import SampleRun


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
                platform(port=options["port"], environment=store.environment() if store else {})
            )
            briefs = load_briefs(running.sources)
            agree_to_cost(briefs, self.console, agreed=options["yes"])
            key, password = make_routine_key(), make_admin()
            workers = running.start_workers()
            running.start_site()
            client = stack.enter_context(closing(RoutineClient(running.address, key)))
            run = SampleRun(client, self.console, check=running.children.check)
            broken = self._publish(run, briefs, store, workers)
            print_articles(self.console, run.answers.values())
            print_platform(
                self.console,
                address=running.address,
                password=password,
                key=key,
                logs=running.children.logs,
            )
            print_next(self.console, _next_lines(running.address, broken))
            ok = run.all_answer(but=broken)
            client.close()  # so that no idle connection holds up the site's end
            if not options["exit"]:
                self.serve(running)
            elif not ok:
                raise DemoError("not every article answers 200: see above and the logs")

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


def _next_lines(address: str, broken: str | None) -> list[str]:
    if broken is not None:
        return [
            f"open {instance_page(address, broken)}",
            "and press `Retry failed step`: the store takes the cover now",
            "then look at its waterfall: the six stages before it were not run again",
        ]
    return [
        f"open {instance_page(address, 'publish-demo-news-leap-second')}",
        "make demo ARGS=--break        workers are killed in mid-article, one cover fails",
        "manage.py submit_brief FILE   a brief of your own",
    ]
