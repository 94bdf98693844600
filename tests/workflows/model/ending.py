"""The end of an example: every process dies, time passes, and nothing may be stuck."""

from tests.workflows.model.expected import ENDED, Expected
from tests.workflows.model.world import World
from workflows.models import Reason, Status

ROUNDS = 60  # more than any script, and five crashes, can take


def finish(world: World) -> None:
    """Let everything run to its end: first by itself, then with the help of people.

    Raises:
        AssertionError: something does not end, and waits for nothing that the model knows of.
    """
    for drain in world.lapsed:
        world.lapse(drain)
    for host in world.hosts:
        host.die()
    _run(world)
    for it in world.expected.values():
        assert it.status in (*ENDED, Status.PAUSED) or _waits_for_somebody(it), it
    for _ in range(ROUNDS):
        open_ones = [it for it in world.expected.values() if it.status not in ENDED]
        if not open_ones:
            return
        for it in open_ones:
            _help(world, it)
        _run(world)
    raise AssertionError(f"stuck: {world.expected}")


def _run(world: World) -> None:
    host = world.hosts[0]
    world.enter(host)
    world.take_over(host)
    for _ in range(ROUNDS):
        for it in world.expected.values():
            if it.due or it.wake or it.deadline:
                world.pass_time(it)
        world.claim(host)
        if not host.hands:
            break
        world.drive_all(host)
    else:
        raise AssertionError(f"it runs for ever: {world.expected}")
    world.check()


def _waits_for_somebody(it: Expected) -> bool:
    if it.status != Status.WAITING or it.due is not None:
        return False
    is_event = it.reason == Reason.EVENT and it.oldest(it.generation) is None
    return is_event or it.reason == Reason.OPERATOR


def _help(world: World, it: Expected) -> None:
    if it.status == Status.PAUSED:
        world.operate(it, "resume")
    elif it.reason == Reason.EVENT:
        world.operate(it, "send", type="go", key=None, generation=None)
    else:
        world.operate(it, "retry")
