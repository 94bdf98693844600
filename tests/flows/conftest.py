"""What tests of money among real workers share."""

from collections.abc import Iterator

import pytest

from publishing.models import Cap
from tests.flows.paying import Town, found_town
from tests.publishing.conftest import caps, prices

__all__ = ["caps", "prices"]


@pytest.fixture(scope="module")
def founded_town(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Keep the servers and the forking process for the tests of a file."""
    with found_town(tmp_path_factory.mktemp("media")) as running:
        yield running


@pytest.fixture
def town(founded_town: Town, caps: dict[str, Cap]) -> Town:
    """Servers that answer as usual, two lanes, and the seeded caps and prices."""
    founded_town.prepare()
    return founded_town
