"""Every stage that needs no paid provider may lose its worker before its record, and run again."""

from pathlib import Path
from typing import Any

import pytest
from django.db.models import Model
from pytest_django import Settings

from publishing import models
from publishing.payloads import (
    BriefSource,
    Cover,
    Draft,
    Grounded,
    Persisted,
    Validated,
    WrittenBy,
)
from publishing.stages.clean import CleanOptions
from publishing.stages.cover import CoverOptions
from publishing.stages.ground import GroundOptions
from publishing.stages.validate import ValidateOptions
from tests.publishing.articles import make_article
from tests.publishing.page_server import page, serve_pages
from tests.publishing.test_first_and_last_stages import take_in
from workflows.testing import assert_replay_safe

pytestmark = pytest.mark.django_db

TEXT = "A paragraph on clocks, long enough to be read as one, with ticks and a question of drift."


def rows(model: type[Model], *but: str) -> list[dict[str, Any]]:
    """Return the model's rows without their keys and what else is named."""
    left = model._default_manager.order_by("pk").values()
    return [{name: row[name] for name in row if name not in {"id", *but}} for row in left]


def test_validate_reserves_one_address() -> None:
    brief = take_in()

    def left() -> object:
        return rows(models.Slug), rows(models.Brief)

    output = assert_replay_safe("validate", brief, ValidateOptions(), snapshot=left)

    assert output == Validated(slug="how-clocks-agree")
    assert [row["slug"] for row in rows(models.Slug)] == ["how-clocks-agree"]


def test_ground_asks_again_and_finds_the_same(settings: Settings) -> None:
    with serve_pages() as web:
        settings.FETCH_ALLOW_HOSTS = [web.host]
        web.pages["/a"] = page(f"<title>Clocks</title><article><p>{TEXT}</p></article>")
        brief = take_in(sources=[BriefSource(url=web.url("/a")), BriefSource(url=web.url("/no"))])

        output = assert_replay_safe(
            "ground",
            brief,
            Validated(slug="x"),
            GroundOptions(),
            snapshot=list,
            key=lambda grounded: [
                one.model_dump(exclude={"fetched_at"}) for one in grounded.sources
            ],
        )

        assert isinstance(output, Grounded)
        assert [one.text for one in output.sources] == [TEXT, ""]
        assert sorted(path for path, _ in web.asked) == ["/a", "/a", "/no", "/no"]


def grounded() -> Grounded:
    source = {"id": "s1", "url": "https://example.org/a", "final_url": "https://example.org/b"}
    return Grounded.model_validate(
        {
            "sources": [
                source | {"status": "fetched", "text": TEXT, "fetched_at": "2026-01-01T00:00Z"}
            ]
        }
    )


def draft() -> Draft:
    return Draft(
        title="How clocks agree",
        summary="On clocks.",
        body="Clocks agree.:cite[s1]",
        written_by=WrittenBy(author="offline", bundle=1),
    )


def test_clean_reads_and_writes_nothing() -> None:
    options = CleanOptions(words_least=0)
    assert_replay_safe("clean", draft(), grounded(), take_in(), options, snapshot=list)


def test_persist_stores_one_revision_with_its_sources() -> None:
    brief = take_in()
    cleaned = assert_replay_safe(
        "clean", draft(), grounded(), brief, CleanOptions(words_least=0), snapshot=list
    )

    def left() -> object:
        return (
            rows(models.Article, "created_at"),
            rows(models.Revision, "article_id", "created_at"),
            rows(models.Source, "revision_id"),
        )

    output = assert_replay_safe(
        "persist",
        brief,
        Validated(slug="clocks"),
        grounded(),
        cleaned,
        snapshot=left,
        key=lambda persisted: persisted.model_dump(exclude={"article", "revision"}),
    )

    assert isinstance(output, Persisted)
    revision = models.Revision.objects.get()
    assert (revision.pk, revision.number) == (output.revision, 1)
    assert [row["key"] for row in rows(models.Source)] == ["s1"]


def persisted(article: models.Article) -> Persisted:
    revision = article.revision
    assert revision is not None
    return Persisted(
        article=article.pk,
        revision=revision.pk,
        slug=article.slug,
        title=revision.title,
        summary=revision.summary,
        body=revision.body,
    )


def test_index_replaces_an_articles_chunks() -> None:
    article = make_article(indexed=True)

    def left() -> object:
        return [row | {"embedding": list(row["embedding"])} for row in rows(models.Chunk)]

    assert_replay_safe("index", take_in(), persisted(article), snapshot=left)

    assert models.Chunk.objects.count() == 3


def test_cover_stores_its_files_once(settings: Any, tmp_path: Path) -> None:
    store = {
        "BACKEND": "publishing.providers.objects.ContentAddressedFileStorage",
        "OPTIONS": {"location": tmp_path, "base_url": "/media/"},
    }
    settings.STORAGES = settings.STORAGES | {"default": store}

    def left() -> object:
        return {
            path.name: (path.stat().st_mtime_ns, path.stat().st_size)
            for path in tmp_path.rglob("*.*")
        }

    output = assert_replay_safe(
        "cover",
        take_in(),
        persisted(make_article("How clocks agree")),
        CoverOptions(hue=250, folio="Dev"),
        snapshot=left,
    )

    assert isinstance(output, Cover)
    assert len(output.renditions) == 3
