"""The cover stage: drawn from its inputs, stored once under the digest of its bytes."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from PIL import Image

from publishing.demo.object_server import ObjectServer
from publishing.payloads import Brief, Cover, Persisted
from publishing.stages.cover import CoverOptions, cover
from workflows.contracts import StepContext
from workflows.errors import RetryableError
from workflows.registry import get_step

OPTIONS = CoverOptions(hue=250, folio="Dev")


def brief_of(**fields: Any) -> Brief:
    return Brief(
        **{"brief_id": "b-1", "lane": "dev", "title": "A log", "summary": "On logs."} | fields
    )


def persisted_as(title: str) -> Persisted:
    return Persisted(article=1, revision=1, slug="a-log", title=title, summary="On logs.", body="x")


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    store = {
        "BACKEND": "publishing.providers.objects.ContentAddressedFileStorage",
        "OPTIONS": {"location": tmp_path, "base_url": "/media/"},
    }
    settings.STORAGES = settings.STORAGES | {"default": store}
    return tmp_path


@pytest.fixture
def bucket(settings: Any) -> Iterator[ObjectServer]:
    with ObjectServer() as server:
        store = {
            "BACKEND": "publishing.providers.objects.ContentAddressedS3Storage",
            "OPTIONS": {
                "endpoint_url": server.url,
                "bucket_name": "covers-of-tests",
                "access_key": "key",
                "secret_key": "secret",
                "public_url": "https://img.standing.example",
            },
        }
        settings.STORAGES = settings.STORAGES | {"default": store}
        yield server
        default_storage.connection.meta.client.close()  # type: ignore[attr-defined]


def run(**fields: Any) -> Cover:
    context = StepContext("publish:b-1", "b-1", "cover", 1, 1, datetime.now(UTC), 0)
    about = persisted_as("The log comes first")
    made: Cover = cover(brief_of(**fields), about, OPTIONS, context)
    return made


def test_every_rendition_is_stored_under_the_digest_of_its_bytes(folder: Path) -> None:
    made = run()
    assert [(r.width, r.height) for r in made.renditions] == [(1200, 630), (800, 420), (400, 210)]
    for rendition in made.renditions:
        body = (folder / rendition.key).read_bytes()
        digest = hashlib.sha256(body).hexdigest()
        assert rendition.key.startswith(f"covers/{digest[:2]}/{digest}.")
        assert rendition.body_bytes == len(body)
        with Image.open(folder / rendition.key) as stored:
            assert stored.size == (rendition.width, rendition.height)


def test_a_second_run_returns_the_same_and_stores_nothing(folder: Path) -> None:
    first = run()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert run() == first
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()} == before
    assert len(before) == 3


def test_the_cover_says_what_it_shows_and_who_made_it(folder: Path) -> None:
    made = run()
    assert made.alt == "Typographic cover: The log comes first"
    assert made.made_by == "presswork typographic cover"


def test_only_a_day_that_the_brief_names_is_shown(folder: Path) -> None:
    assert run(publish_at="2026-03-01T08:00:00Z").renditions != run().renditions


def test_in_a_bucket_a_second_run_writes_nothing(bucket: ObjectServer) -> None:
    first = run()
    assert run() == first
    names = {f"covers-of-tests/{rendition.key}" for rendition in first.renditions}
    assert bucket.writes == dict.fromkeys(names, 1)
    assert bucket.puts == dict.fromkeys(names, 2)


def test_a_refused_upload_is_tried_again_from_where_it_stopped(bucket: ObjectServer) -> None:
    refused = True
    bucket.refuse_while(lambda: refused)
    with pytest.raises(RetryableError, match="S3_ACCESS_KEY_ID"):
        run()
    assert bucket.objects == {}
    refused = False
    assert len(run().renditions) == 3
    assert sorted(bucket.writes.values()) == [1, 1, 1]


def test_its_options_are_hue_and_folio() -> None:
    registered = get_step("cover")
    assert registered.options == ("options", CoverOptions)
    assert set(registered.inputs.values()) == {Brief, Persisted}
    assert registered.output is Cover
