"""The world in which the engine is compared with its model."""

import logging
from collections.abc import Iterator

import pytest

from tests.trial import modelled
from tests.workflows.model.hosts import HostClock
from tests.workflows.model.world import World
from workflows import connection, faults, runner


@pytest.fixture
def world(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Hosts with clocks of their own; every fault point is told to the model."""
    logging.disable(logging.CRITICAL)
    monkeypatch.setattr(runner, "datetime", HostClock)
    monkeypatch.setattr(connection, "RECONNECT_SECONDS", (0.0,))  # who waits learns no more
    world = World()
    modelled.arrange(world.perform)
    faults.arm(world.reach)
    yield world
    faults.arm(None)
    world.close()
    HostClock.ahead = HostClock.ahead * 0
    logging.disable(logging.NOTSET)
