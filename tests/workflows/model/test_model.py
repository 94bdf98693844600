"""Whatever operators, senders, hosts and networks do, in any order: the engine does as the model.

300 examples here; `make soak` runs 10,000. A failure prints the steps that lead to it and the seed.
"""

import os
import random
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.workflows.model.ending import finish
from tests.workflows.model.expected import STEPS
from tests.workflows.model.middle import HAPPENINGS, LEAP
from tests.workflows.model.steps import OUTCOMES
from tests.workflows.model.world import Fault, Faults, World

EXAMPLES = int(os.environ.get("EXAMPLES", "300"))
SEED = int(os.environ.get("SEED", "") or random.SystemRandom().randrange(2**32))
KINDS = (*STEPS, "wait", "wait, then on", "wait, or err", "sleep", "until")

kinds = st.lists(st.sampled_from(KINDS), min_size=1, max_size=4)
scripts = st.lists(st.sampled_from(OUTCOMES), max_size=4)
batches = st.lists(st.sampled_from("abc"), min_size=1, max_size=3)
which = st.integers(0, 2)
happenings = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from((*HAPPENINGS, "send", "send"))), max_size=3
)
claim_faults = st.none() | st.tuples(
    st.sampled_from(("before", "uncommitted", "after")), st.sampled_from(("dies", "cut"))
)


class Model(RuleBasedStateMachine):
    """Everything that may happen, in any order."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.world.begin_anew()

    @property
    def instances(self) -> list[Any]:
        """The expected ones, in the order of their creation."""
        return [it for _, it in sorted(self.world.expected.items())]

    @initialize(kinds=kinds, script=scripts)
    def create_one(self, kinds: list[str], script: list[str]) -> None:
        self.world.create(["a"], kinds, script)

    @rule(
        keys=st.lists(st.sampled_from("abc"), min_size=1, max_size=3), kinds=kinds, script=scripts
    )
    def create(self, keys: list[str], kinds: list[str], script: list[str]) -> None:
        self.world.create(keys, kinds, script)

    @rule(host=which, faults=happenings)
    def work(self, host: int, faults: Faults) -> None:
        self.world.claim(self.world.hosts[host])
        self.world.drive_all(self.world.hosts[host], faults)

    @rule(host=which, slots=st.integers(1, 3), with_suspect=st.booleans(), fault=claim_faults)
    def claim(self, host: int, slots: int, with_suspect: bool, fault: Fault | None) -> None:
        chosen = self.world.hosts[host]
        self.world.claim(chosen, slots=slots, with_suspect=with_suspect, fault=fault)

    @precondition(lambda self: any(host.hands for host in self.world.hosts))
    @rule(which=which, faults=happenings)
    def drive(self, which: int, faults: Faults) -> None:
        at_work = [host for host in self.world.hosts if host.hands]
        host = at_work[which % len(at_work)]
        self.world.drive(host, host.hands[0], faults)

    @rule(which=which, verb=st.sampled_from(("pause", "resume", "terminate", "retry")))
    def apply_verb(self, which: int, verb: str) -> None:
        self.world.operate(self._pick(which), verb)

    @rule(which=which, position=which, is_stale=st.booleans())
    def restart(self, which: int, position: int, is_stale: bool) -> None:
        it = self._pick(which)
        position = min(position, len(it.stages) - 1)
        self.world.operate(
            it, "restart", position=position, generation=it.generation - int(is_stale)
        )

    @precondition(lambda self: any(it.records for it in self.instances))
    @rule(which=which, position=which, value=st.sampled_from(("other", "another")))
    def replace_output(self, which: int, position: int, value: str) -> None:
        it = self._pick(which)
        if it.stages[position := min(position, len(it.stages) - 1)].kind in STEPS:
            self.world.operate(it, "replace", position=position, value=value)

    @rule(
        which=which,
        type=st.sampled_from(("go", "stop")),
        key=st.sampled_from((None, "k")),
        generation=st.sampled_from((None, 1, 2)),
    )
    def send(self, which: int, type: str, key: str | None, generation: int | None) -> None:  # noqa: A002
        it = self._pick(which)
        self.world.operate(it, "send", type=type, key=key, generation=generation)

    @rule(which=which)
    def pass_time(self, which: int) -> None:
        self.world.pass_time(self._pick(which))

    @rule(host=which)
    def beat(self, host: int) -> None:
        self.world.beat(self.world.hosts[host])

    @precondition(lambda self: not all(self.world.lapsed.values()))
    @rule(which=which)
    def lapse(self, which: int) -> None:
        alive = sorted(drain for drain, is_lapsed in self.world.lapsed.items() if not is_lapsed)
        self.world.lapse(alive[which % len(alive)])

    @precondition(lambda self: any(it.owner for it in self.instances))
    @rule(host=which)
    def take_over(self, host: int) -> None:
        self.world.take_over(self.world.hosts[host])

    @precondition(lambda self: any(it.owner for it in self.instances))
    @rule(host=which)
    def give_back(self, host: int) -> None:
        self.world.give_back(self.world.hosts[host])

    @rule(host=which, leap=st.sampled_from((-LEAP, LEAP)))
    def set_clock(self, host: int, leap: Any) -> None:
        self.world.hosts[host].ahead = leap

    @precondition(lambda self: any(it.is_old for it in self.instances))
    @rule()
    def prune(self) -> None:
        self.world.prune()

    @invariant()
    def agrees(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:
            finish(self.world)

    def _pick(self, which: int) -> Any:
        instances = self.instances
        return instances[which % len(instances)]


@pytest.mark.timeout(900)  # hundreds of histories; a busy machine takes minutes
def test_the_engine_does_as_the_model_in_any_order_of_events(world: World) -> None:
    print(f"SEED={SEED}", flush=True)  # noqa: T201
    machine = seed(SEED)(type("Arranged", (Model,), {"world": world}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
