"""What was found with the model, kept as a plain example."""

from django.db import connection

from tests.trial import modelled
from tests.workflows.model import look
from tests.workflows.model.hosts import HostClock, ThreadOf
from tests.workflows.model.middle import LEAP
from tests.workflows.model.world import World
from workflows import faults
from workflows.contracts import StepContext
from workflows.models import Status
from workflows.runner import drive


def test_a_wall_clock_that_leaps_cancels_no_transaction(world: World) -> None:
    world.create(["a"], ["effect"], [])
    host = world.hosts[0]
    world.claim(host)
    (hand,) = host.hands

    def take_a_while(context: StepContext, value: str) -> str:
        with connection.cursor() as cursor:
            cursor.execute("select pg_sleep(0.1)")
        return value

    def leap(point: str, moment: str) -> None:
        if (point, moment) == ("entries.e0", "after"):
            HostClock.ahead = LEAP

    modelled.arrange(take_a_while)
    faults.arm(leap)
    drive(hand.claim, host.checkpoints, ThreadOf(hand))

    (found,) = look.instances(world.reader).values()
    assert (found["status"], found["tries"]) == (Status.COMPLETE, [])
