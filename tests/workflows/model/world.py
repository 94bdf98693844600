"""The real engine on the real database, driven part by part, next to what must become of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
from django.contrib.auth.models import Group
from psycopg.types.json import Jsonb

from tests.workflows.model import acts, look
from tests.workflows.model.expected import LATER, NOW, REFUSED, STEPS, Expected, Hand, Stage
from tests.workflows.model.hosts import Host, HostClock, ThreadOf
from tests.workflows.model.middle import Drive, KilledError, WrongError, break_off
from tests.workflows.model.steps import BUSY, come_to
from workflows import events, verbs
from workflows.claims import Claim, claim_due, give_back_unheld, take_over_lapsed
from workflows.connection import EngineConnection
from workflows.contracts import StepContext
from workflows.dispatch import Order, create_instances
from workflows.errors import DuplicateInstanceError, VerbRefusedError
from workflows.graphs import store_graph
from workflows.pruning import prune
from workflows.runner import drive
from workflows.statements import drains

LEASE = timedelta(hours=1)
Fault = tuple[str, str]  # a moment of the claim statement, and `dies` or `cut`
Faults = Sequence[tuple[int, str]]  # which fault point of a drive, and what happens there


class World:
    """Hosts, instances as they must be, and the drives that are under way.

    Attributes:
        expected: by primary key.
        scripts: what the next calls of an instance's steps do; then they return.
        lapsed: by drain, whether its lease is over.
        drives: the last one is at work; the others stand in the middle of a statement.
    """

    def __init__(self) -> None:
        self.reader = EngineConnection("model")
        self.watchdog = EngineConnection("model watchdog")
        self.hosts = [
            Host(EngineConnection(f"claimer {n}"), EngineConnection(f"writer {n}"))
            for n in range(3)
        ]
        self.graphs: dict[tuple[str, ...], int] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything, for the next example."""
        look.forget(self.reader)
        self.expected: dict[int, Expected] = {}
        self.scripts: dict[int, list[str]] = {}
        self.lapsed: dict[int, bool] = {}
        self.drives: list[Drive] = []
        self.claim_fault: Fault | None = None
        self.called = 0
        for host in self.hosts:
            host.die()
            host.ahead = timedelta(0)

    def close(self) -> None:
        """Close every connection."""
        every = [self.reader, self.watchdog]
        for connection in every + [c for h in self.hosts for c in (h.claimer, h.writer)]:
            connection.close()

    def check(self) -> None:
        """Compare what is with what must be: rows, histories, effects, and nothing besides."""
        found = look.instances(self.reader)
        assert found.keys() == self.expected.keys()
        for pk, it in self.expected.items():
            must = it.seen()
            differing = {
                name: f"is {found[pk][name]!r}, must be {value!r}"
                for name, value in must.items()
                if found[pk][name] != value
            }
            assert not differing, f"{it.instance_id}: {differing}"
        effects = sorted(effect for it in self.expected.values() for effect in it.effects)
        assert look.effects(self.reader) == effects

    # Senders and operators.

    def create(self, keys: Sequence[str], kinds: Sequence[str], script: Sequence[str]) -> None:
        """Order instances, some of which may exist."""
        stages = name_stages(kinds)
        if tuple(kinds) not in self.graphs:
            entries = [_entry(stage, kinds) for stage in stages]
            self.graphs[tuple(kinds)] = store_graph(entries, workflow="modelled").pk
        known = {it.instance_id for it in self.expected.values()}
        envelope = {"value": "from the envelope", "at": "2099-01-01T00:00:00Z"}
        graph = self.graphs[tuple(kinds)]
        orders = [Order("modelled", key, "p", graph, envelope, "api") for key in keys]
        for created in create_instances(orders):
            instance_id = created.order.instance_id
            assert (created.pk is None) == (instance_id in known)
            assert (created.pk is None) == isinstance(created.error, DuplicateInstanceError)
            if created.pk is not None:
                known.add(instance_id)
                self.expected[created.pk] = Expected(created.pk, instance_id, stages)
                self.scripts[created.pk] = list(script)

    def operate(self, it: Expected, verb: str, **more: Any) -> None:
        """Act as an operator or sender, who must get the answer that the model gives."""
        who = {"actor": "ann"}
        instance_id = it.instance_id
        must: acts.Answer = REFUSED
        try:
            if verb == "send":
                must = acts.send(it, **more)
                told = events.send_event(instance_id, **more, sender="ann")
            elif verb == "restart":
                must = acts.restart(it, **more)
                position, generation = more["position"], more["generation"]
                entry = it.stages[position].name if position else None
                told = verbs.restart(instance_id, entry=entry, generation=generation, **who)
            elif verb == "replace":
                must = acts.replace_output(it, **more)
                entry, output = it.stages[more["position"]].name, {"value": more["value"]}
                told = verbs.replace_output(instance_id, entry, output, **who)
            else:
                must = acts.PLAIN_VERBS[verb](it)
                told = getattr(verbs, verb)(instance_id, **who)
        except VerbRefusedError:
            assert must == REFUSED, f"{verb} was refused"
        else:
            assert told == must, f"{verb}: {told}, must be {must}"

    def pass_time(self, it: Expected) -> None:
        """Let a century pass for one instance."""
        self.reader.fetch(look.PASS_TIME, {"instance": it.pk})
        it.pass_time()

    def prune(self) -> None:
        """Empty what has outlived its retention."""
        prune("modelled")
        for it in self.expected.values():
            it.prune()

    # Drains.

    def enter(self, host: Host) -> int:
        """Give the host a drain if it has none; return its id."""
        if host.drain:
            return host.drain
        me = {"cluster": "", "host": "h", "pid": 1, "process_started": "1", "threads": 1}
        bound = me | {"code_version": "of the model", "lease": LEASE}
        host.drain = host.claimer.fetch(drains.ENTER, bound)[0][0]
        host.claimer.fetch(drains.WAKE_FOR_CODE, {})
        self.lapsed[host.drain] = False
        for it in self.expected.values():
            acts.wake_for_code(it)
        return host.drain

    def beat(self, host: Host) -> None:
        """Renew the lease; a drain that has lost it begins anew, its threads go on as they are."""
        bound = {"drain": self.enter(host), "lease": LEASE, "leaving": False, "counts": Jsonb({})}
        rows = host.claimer.fetch(drains.BEAT, bound)
        assert bool(rows) != self.lapsed[host.drain]
        if not rows:
            host.drain = 0

    def lapse(self, drain: int) -> None:
        """Let the lease of a drain be over."""
        self.reader.fetch(look.LAPSE, {"drain": drain})
        self.lapsed[drain] = True

    def take_over(self, host: Host) -> None:
        """Look for what lapsed drains own."""
        orphans = [it for it in self.expected.values() if it.owner and self.lapsed[it.owner]]
        assert take_over_lapsed(host.claimer) == len(orphans)
        for it in orphans:
            it.crash()

    def give_back(self, host: Host) -> None:
        """Look for what the drain owns and holds in no thread."""
        held = [hand.claim.instance for hand in host.hands]
        give_back_unheld(host.claimer, drain=self.enter(host), held=held)
        for it in self.expected.values():
            if it.owner == host.drain and it.pk not in held:
                it.put_aside("retry", NOW)

    def claim(
        self, host: Host, *, slots: int = 5, with_suspect: bool = True, fault: Fault | None = None
    ) -> None:
        """Claim what is due; with a fault the claims may be owned and in no hand."""
        drain = self.enter(host)
        due = [it for it in self.expected.values() if it.due == NOW]
        suspects = int(with_suspect and any(it.is_suspect for it in due))
        count = suspects + min(slots - suspects, sum(not it.is_suspect for it in due))
        before = {it.pk for it in self.expected.values() if it.owner == drain}
        self.claim_fault, self.claimer = fault, host.claimer
        claims = None
        try:
            claims = claim_due(host.claimer, drain=drain, slots=slots, with_suspect=with_suspect)
        except KilledError:
            host.die()
        except psycopg.OperationalError:
            assert fault is not None
        finally:
            self.claim_fault = None
        owned = {pk for (pk,) in self.reader.fetch(look.OWNED, {"drain": drain})} - before
        is_committed = fault is None or fault[0] == "after"
        must = count if is_committed else 0
        assert len(owned) == must, f"{len(owned)} were claimed, {must} were due: {due}"
        for pk in owned:
            self.expected[pk].begin(drain)
        if claims is not None:
            assert {claim.instance for claim in claims} == owned
            host.hands += [
                Hand(c, self.expected[c.instance].deadline) for c in sorted(claims, key=_pk)
            ]

    def drive(self, host: Host, hand: Hand, faults: Faults = ()) -> None:
        """Drive one claim of the host until its driver puts it down, or dies."""
        it = self.expected[hand.claim.instance]
        self.drives.append(Drive(self, host, hand, it, sorted(faults)))
        HostClock.ahead = host.ahead
        try:
            drive(hand.claim, host.checkpoints, ThreadOf(hand))
        except KilledError:
            host.die()
        except WrongError as wrong:
            raise AssertionError(str(wrong)) from wrong
        else:
            is_held = (it.owner, it.fence) == (hand.claim.drain, hand.claim.fence)
            assert not is_held, "its driver has left it, and it is still owned"
        finally:
            self.drives.pop()
            if hand in host.hands:
                host.hands.remove(hand)

    def drive_all(self, host: Host, faults: Faults = ()) -> None:
        """Drive whatever the host holds, the first with faults."""
        while host.hands:
            self.drive(host, host.hands[0], faults)
            faults = ()

    # What the engine tells while it works.

    def reach(self, name: str, moment: str) -> None:
        """A fault point is reached: apply what has committed, and let happen what is ordered."""
        if name == "claims.claim" and self.claim_fault and self.claim_fault[0] == moment:
            break_off(self.claim_fault[1], moment, self.claimer._connection)
        if name.startswith(("checkpoints.", "entries.")) and self.drives:
            self.drives[-1].reach(name, moment)

    def perform(self, context: StepContext, value: str) -> str:
        """Be a step: assert that it may run, leave an effect, do what the script says."""
        at_work = self.drives[-1]
        it, hand = at_work.it, at_work.hand
        at_work.reach("modelled.step", "before")
        if it.holds(hand):
            at_work.assert_may_run(context, value)
        kinds = {stage.name: stage.kind for stage in it.stages}
        if kinds[context.entry] == "effect":
            self.called += 1
            Group.objects.create(name=f"{it.pk} {context.generation} {context.entry} {self.called}")
        at_work.park_due = NOW if at_work.host.ahead <= -BUSY else LATER
        script = self.scripts[it.pk]
        hand.outcome = script.pop(0) if script else "returns"
        hand.value = f"{context.entry}/{context.generation}/{context.attempt}"
        return come_to(hand.outcome, hand.value)


def _pk(claim: Claim) -> int:
    return claim.instance


def name_stages(kinds: Sequence[str]) -> tuple[Stage, ...]:
    """Return the entries with their names; the first wait is called as its event."""
    waits = [n for n, kind in enumerate(kinds) if kind.startswith("wait")]
    return tuple(Stage("go" if waits[:1] == [n] else f"e{n}", kind) for n, kind in enumerate(kinds))


def _entry(stage: Stage, kinds: Sequence[str]) -> dict[str, Any]:
    bodies: dict[str, dict[str, Any]] = {
        "sleep": {"sleep": 3600},
        "until": {"until": "/at"},
        "wait": {"wait": "go", "timeout": None},
        "wait, then on": {"wait": "go", "timeout": 3600, "on_timeout": "continue"},
        "wait, or err": {"wait": "go", "timeout": 3600},
    }
    body = {"step": f"modelled_{stage.kind}"} if stage.kind in STEPS else bodies[stage.kind]
    return body if stage.name == "go" else body | {"name": stage.name}
