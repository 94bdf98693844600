"""Two lanes, a page to write about, and briefs that are taken through all stages."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from lanes.models import Lane
from lanes.versions import read_specs, save_bundle
from publishing.intake.submit import Sender, Submission, submit_brief
from publishing.models import Cap
from tests.publishing.conftest import caps, prices
from tests.publishing.page_server import page, serve_pages
from workflows.models import Instance, StepRecord

__all__ = ["caps", "prices"]  # the fixtures

SPECS = {"voice": "Plain.", "audience": "Readers.", "brief_hints": "Short."}
TEXT = "Every lighthouse keeps its own time, and its clocks agree to within a nanosecond."

Post = Callable[..., Submission]


def make_lane(name: str) -> Lane:
    """Make a lane with its first bundle in use."""
    lane = Lane.objects.create(name=name, title=name.title(), hue=25)
    save_bundle(lane, read_specs(SPECS))
    return lane


def run_entries(instance: Instance) -> list[str]:
    """Return the entries that have run, in order, of all generations."""
    rows = StepRecord.objects.filter(instance=instance).order_by("generation", "position")
    return list(rows.values_list("entry", flat=True))


@pytest.fixture
def post(settings: Settings, transactional_db: None, caps: dict[str, Cap]) -> Iterator[Post]:
    """Take a brief in, with a source that answers."""
    with serve_pages() as web:
        settings.FETCH_ALLOW_HOSTS = [web.host]
        web.pages["/clocks"] = page(f"<title>Clocks</title><article><p>{TEXT}</p></article>")
        sender = Sender(trigger="command", lanes=frozenset({"news", "research"}))

        def send(brief_id: str = "clocks", **fields: Any) -> Submission:
            brief = {
                "brief_id": brief_id,
                "lane": "research",
                "title": "Lighthouse clocks",
                "summary": f"Why a lighthouse keeps its own time: {brief_id}.",
                "sources": [{"url": web.url("/clocks")}],
            }
            return submit_brief(brief | fields, sender)

        yield send
