"""Real workers that pay local servers, briefs for them, and what must hold of both at the end."""

import queue
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction
from django.db.models.functions import Now

from lanes.models import Bundle, Lane
from lanes.selection import compile_entries
from publishing.intake.submit import Sender, submit_brief
from publishing.models import Call
from tests.flows.nursery import Child, Nursery, nursery
from tests.flows.processes import environment, kill
from tests.flows.touring import bury_the_dead
from tests.publishing.anthropic_server import (
    AnthropicServer,
    Exchange,
    Script,
    answers,
    serve_anthropic,
)
from tests.publishing.auditing import assert_ledger_adds_up
from tests.publishing.image_servers import draws
from tests.publishing.voyage_server import embeds
from tests.workflows.conftest import wait_until
from workflows.graphs import store_graph
from workflows.models import Attempt, Instance, Reason, Status, StepRecord

# Of a brief without sources: there is nothing to cite.
ARTICLE = {
    "title": "Two clocks, one second",
    "summary": "Why civil time lets go of the turning Earth.",
    "body": "The rule ends in 2035, and nobody minds.",
    "tags": ["time"],
    "citations": [],
}
USUAL: dict[str, Script] = {"generate": answers(ARTICLE), "index": embeds, "cover": draws}
PAID_STEPS = tuple(USUAL)  # in the order of the spine
UP_TO_TEXT = 3  # entries: validate, ground, generate


@dataclass
class Town:
    """Workers that can be forked at will, and a server for each paid step."""

    nursery: Nursery
    servers: dict[str, AnthropicServer]
    lanes: dict[str, Lane] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the lanes anew, and let the servers answer as usual."""
        self.lanes = {name: _make_lane(name) for name in ("news", "sport")}
        for entry, server in self.servers.items():
            server.script = USUAL[entry]
            server.requests.clear()
            server.go_on.clear()

    @property
    def text(self) -> AnthropicServer:
        """The server that writes articles."""
        return self.servers["generate"]

    def requests(self) -> Counter[str]:
        """Return how many requests each paid step has sent."""
        return Counter({entry: len(server.requests) for entry, server in self.servers.items()})

    def audit(self) -> None:
        """Assert that the ledger adds up, and knows of every request."""
        assert_ledger_adds_up(requests=self.requests().total())

    def order(self, brief_id: str, *, lane: str = "news", entries: int | None = None) -> Instance:
        """Take a brief in; with `entries` its instance ends after so many of the spine."""
        body = {"brief_id": brief_id, "lane": lane, "title": "Clocks", "summary": brief_id}
        sender = Sender(trigger="command", lanes=frozenset(self.lanes))
        with transaction.atomic():  # workers that are up must not see it with its whole graph
            row = submit_brief(body, sender).brief.instance_id
            if entries is not None:
                shortened = compile_entries(self.lanes[lane])[:entries]
                graph = store_graph(shortened, workflow="publish")
                Instance.objects.filter(pk=row).update(graph=graph)
        return Instance.objects.get(pk=row)

    def kill_at(self, fault: str) -> None:
        """Have a worker die at a fault point; see `tests.arming`."""
        self.see_dead(self.nursery.drain(fault, threads=2))

    def kill_when_asked(self, entry: str) -> None:
        """Have a worker die once the provider of a step has its request."""
        pids: queue.Queue[int] = queue.Queue()

        def script(exchange: Exchange) -> None:
            kill(pids.get())
            exchange.server.script = USUAL[entry]

        self.servers[entry].script = script
        victim = self.nursery.drain("", threads=2)
        pids.put(victim.pid)
        self.see_dead(victim)

    def see_dead(self, victim: Child) -> None:
        """Wait until the worker was killed, have its instances go on, and look at the books."""
        wait_until(lambda: victim.code() is not None)
        assert victim.code() == -9
        bury_the_dead()
        self.audit()

    @contextmanager
    def workers(self, count: int = 1, *, threads: int = 8) -> Iterator[None]:
        """Run so many workers, which end well."""
        children = [self.nursery.drain(threads=threads) for _ in range(count)]
        try:
            yield
        finally:
            codes = [child.stop() for child in children]
        assert codes == [0] * count


@contextmanager
def found_town(media: Path) -> Iterator[Town]:
    """Start the servers, and the process that forks workers which pay them."""
    with ExitStack() as stack:
        servers = {
            entry: stack.enter_context(serve_anthropic(script)) for entry, script in USUAL.items()
        }
        paying = {
            "DJANGO_SETTINGS_MODULE": "publishing.settings",  # those of the tests never pay
            "DATA_DIR": str(media),
            # Long: the dead are buried by the tests, and a slow machine must not lose the living.
            "WORKFLOWS_LEASE_SECONDS": "60",
            "ANTHROPIC_API_KEY": "sk-test",
            "ANTHROPIC_BASE_URL": servers["generate"].url,
            "VOYAGE_API_KEY": "sk-test",
            "VOYAGE_BASE_URL": servers["index"].url,
            "CLOUDFLARE_ACCOUNT_ID": "acct",
            "CLOUDFLARE_API_TOKEN": "sk-test",
            "WORKERS_AI_BASE_URL": servers["cover"].url,
        }
        yield Town(stack.enter_context(nursery(environment(**paying))), servers)


def check_nothing_ran_again(instance: Instance, deaths: dict[str, int]) -> None:
    """Assert that it is complete, and that of its steps only those were tried again that died."""
    instance.refresh_from_db()
    assert (instance.status, instance.owner) == (Status.COMPLETE, None)
    tries = dict(StepRecord.objects.filter(instance=instance).values_list("entry", "attempt"))
    names = [entry.get("name", entry.get("step")) for entry in instance.graph.entries]
    assert tries == {name: 1 + deaths.get(name, 0) for name in names}
    lost = Attempt.objects.filter(instance=instance).values_list("entry", "outcome")
    assert Counter(lost) == Counter({(entry, "lost"): times for entry, times in deaths.items()})


def calls_of(entry: str) -> list[tuple[str, int]]:
    """Return state and number of servings of a step's calls, in order."""
    rows = Call.objects.filter(entry=entry).order_by("id")
    return list(rows.values_list("state", "served"))


def has_come_to_rest() -> bool:
    """Whether all have ended or wait for what only others can bring; what can go on goes on."""
    waiting = Instance.objects.filter(status=Status.WAITING, due_at__gt=Now())
    waiting.filter(reason__in=[Reason.BUSY, Reason.RETRY]).update(due_at=Now(), wake_at=Now())
    going = Instance.objects.filter(status__lt=Status.ERRORED)
    return not going.exclude(status=Status.WAITING, due_at=None).exists()


def write_for(cost_micros: int) -> Script:
    """Answer with an article that costs so much: 10 micro-dollars a token by the seeded prices."""
    usage = {"input_tokens": 0, "output_tokens": cost_micros // 10}
    return answers(ARTICLE, usage=usage)


def _make_lane(name: str) -> Lane:
    lane = Lane.objects.create(name=name, title=name.title(), hue=1, place=1)
    lane.bundle = Bundle.objects.create(lane=lane, version=1, voice="v", audience="a")
    lane.save()
    return lane
