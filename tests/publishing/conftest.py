"""What tests of paid calls share: a local Messages API, caps, and a live drain."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from publishing.models import Cap
from tests.publishing.anthropic_server import AnthropicServer, serve_anthropic
from workflows.models import Drain


@pytest.fixture
def anthropic_server(settings: Settings) -> Iterator[AnthropicServer]:
    """Run a server in Anthropic's place, with a key set, so that stages pay."""
    with serve_anthropic() as server:
        settings.ANTHROPIC_BASE_URL = server.url
        settings.ANTHROPIC_API_KEY = "sk-test"
        yield server


@pytest.fixture
def caps() -> dict[str, Cap]:
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
