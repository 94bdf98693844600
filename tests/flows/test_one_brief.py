"""One brief, from the POST to the page, through real processes and real servers."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.core.management import call_command

from lanes.models import Lane
from publishing.demo.object_server import ObjectServer
from publishing.keys import make_key
from publishing.models import Article, Brief, Call, Cap, Routine
from tests.flows.processes import ROOT, web, workers
from tests.publishing.anthropic_server import AnthropicServer, answers, serve_anthropic
from tests.publishing.conftest import caps, prices
from tests.publishing.page_server import PageServer, page, serve_pages
from tests.workflows.conftest import wait_until
from workflows.models import Instance, Status, StepRecord

__all__ = ["caps", "prices"]  # the fixtures

pytestmark = pytest.mark.django_db(transaction=True)

TOLD = "Every lighthouse keeps its own time, and its clocks agree to within a nanosecond."
ARTICLE = {
    "title": "Lighthouses and their clocks",
    "summary": "Why a lighthouse keeps its own time.",
    "body": f'{TOLD}:cite[s1]\n\n:::quote{{source="s1"}}\n{TOLD}\n:::\n',
    "tags": ["time"],
    "citations": [{"source": "s1", "quote": TOLD}],
}


@dataclass
class House:
    """The running product, and the outside world in its servers."""

    address: str
    key: str
    pages: PageServer
    model: AnthropicServer
    objects: ObjectServer

    def brief(self, **fields: Any) -> dict[str, Any]:
        return {
            "brief_id": "lighthouse",
            "lane": "news",
            "title": "Lighthouse clocks",
            "summary": "Why a lighthouse keeps its own time.",
            "sources": [{"url": self.pages.url("/clocks")}],
        } | fields

    def post(self, brief: dict[str, Any]) -> httpx2.Response:
        with self._client() as client:
            return client.post("/api/admin/publish", json=brief)

    def get(self, path: str) -> httpx2.Response:
        with self._client() as client:
            return client.get(path)

    def _client(self) -> httpx2.Client:
        login = {"Authorization": f"Bearer {self.key}"}
        return httpx2.Client(base_url=self.address, headers=login, trust_env=False, timeout=60)


@pytest.fixture
def house(tmp_path: Path, caps: dict[str, Cap]) -> Iterator[House]:
    call_command("load_lanes", str(ROOT / "lanes/lanes.toml"), stdout=StringIO())
    routine = Routine.objects.create(name="keeper")
    routine.lanes.set(Lane.objects.all())
    key = make_key(routine)
    with (
        serve_pages() as pages,
        serve_anthropic(answers(ARTICLE)) as model,
        ObjectServer() as objects,
    ):
        pages.pages["/clocks"] = page(
            f"<html><title>Clocks</title><body><article><h1>Clocks</h1><p>{TOLD}</p></article>"
        )
        outside = {
            "DJANGO_SETTINGS_MODULE": "publishing.settings",  # those of the tests never pay
            "DATA_DIR": str(tmp_path),
            "FETCH_ALLOW_HOSTS": pages.host,
            "ANTHROPIC_API_KEY": "sk-test",
            "ANTHROPIC_BASE_URL": model.url,
            "S3_ENDPOINT_URL": objects.url,
            "S3_BUCKET": "covers",
            "S3_ACCESS_KEY_ID": "id",
            "S3_SECRET_ACCESS_KEY": "secret",
            "S3_PUBLIC_URL": f"{objects.url}/covers",
        }
        with workers(**outside), web(**outside) as address:
            yield House(address, key, pages, model, objects)


def is_live(instance_id: str) -> bool:
    return Instance.objects.filter(instance_id=instance_id, status=Status.COMPLETE).exists()


def test_of_fifty_simultaneous_posts_one_is_published_and_paid_once(house: House) -> None:
    with ThreadPoolExecutor(50) as pool:
        posted = list(pool.map(house.post, [house.brief()] * 50))

    assert Counter(answer.status_code for answer in posted) == {202: 1, 200: 49}
    wait_until(lambda: is_live("publish-lighthouse"))
    assert len(house.model.requests) == 1
    assert (Article.objects.count(), Brief.objects.count(), Call.objects.count()) == (1, 1, 1)
    assert Brief.objects.get().duplicates == 49

    elsewhere = house.post(house.brief(lane="research"))
    assert elsewhere.status_code == 200
    assert elsewhere.json()["changed"] == ["/lane"]

    seen = house.get(f"/api/admin/instances/{elsewhere.json()['instance_id']}").json()
    assert seen["status"] == "complete"
    assert [step["attempts"] for step in seen["steps"]] == [1] * 8
    assert seen["cost_micros"] == Call.objects.get().cost_micros
    article = house.get(seen["article"]["url"])
    assert article.status_code == 200
    assert "Lighthouses and their clocks" in article.text
    assert 'id="source-s1"' in article.text
    assert "Lighthouses" in house.get("/search/?q=lighthouse").text
    assert seen["article"]["url"] in house.get("/sitemap.xml").text
    assert house.pages.asked == [("/clocks", house.pages.host)]


def test_an_object_store_that_fails_three_times_costs_no_second_request(house: House) -> None:
    house.objects.refuse(times=3, status=503)

    house.post(house.brief())
    wait_until(lambda: is_live("publish-lighthouse"), seconds=120)

    assert len(house.model.requests) == 1
    assert set(house.objects.writes.values()) == {1}
    assert len(house.objects.objects) == 3
    assert Article.objects.get().status == "live"
    assert StepRecord.objects.filter(superseded=False).count() == 9
