"""What tests of paid calls share: a local Messages API, caps, and a live drain."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from publishing.ledger.seed_prices import PRICES
from publishing.ledger.tariffs import forget_prices
from publishing.models import Cap, Price
from tests.publishing.anthropic_server import AnthropicServer, serve_anthropic
from workflows.models import Drain


@pytest.fixture
def anthropic_server(settings: Settings) -> Iterator[AnthropicServer]:
    """Run a server in Anthropic's place, with a key set, so that stages pay."""
    with serve_anthropic() as server:
        settings.ANTHROPIC_BASE_URL = server.url
        settings.ANTHROPIC_API_KEY = "sk-test"
        yield server


@pytest.fixture(autouse=True)
def fresh_prices() -> None:
    """Have each test read the prices of its own database."""
    forget_prices()


@pytest.fixture
def prices(db: None) -> None:
    """Seed the prices; a flush of the tables takes those of the migration away."""
    since = datetime(2026, 11, 22, tzinfo=UTC)
    Price.objects.all().delete()
    Price.objects.bulk_create(Price(version=1, valid_from=since, **row) for row in PRICES)


@pytest.fixture
def caps(prices: None) -> dict[str, Cap]:
    """Seed the caps' defaults; a flush of the tables takes those of the migration away."""
    defaults = {
        "call": 750_000,
        "step": 1_000_000,
        "brief": 2_000_000,
        "lane-day": 20_000_000,
        "day": 60_000_000,
    }
    return {
        scope: Cap.objects.update_or_create(
            scope=scope, name="", defaults={"cap_micros": cap_micros}
        )[0]
        for scope, cap_micros in defaults.items()
    }


@pytest.fixture
def drain() -> Drain:
    """Return a drain whose lease holds."""
    now = datetime.now(UTC)
    return Drain.objects.create(
        host="here",
        pid=1,
        process_started="0",
        code_version="0",
        threads=1,
        started_at=now,
        beat_at=now,
        lease_until=now + timedelta(hours=1),
    )
