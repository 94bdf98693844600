"""Articles for tests: whole rows, from the instance up to the live article and its chunks."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from lanes.models import Bundle, Lane
from publishing.models import Article, Brief, Revision, Source
from publishing.stages.index import embedded_pieces, replace_chunks
from workflows.models import Instance, StepGraph

EPOCH = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
BODY = """\
The first paragraph rests on a source.:cite[s1]

## A section of its own

A second paragraph, *with emphasis*, and a :term[pica]{means="twelve points"}.

:::note[Kept apart]
A note.
:::

:::quote{source="s1"}
Words as they stand there.
:::
"""
_numbers = count(1)


def make_lane(name: str = "news", **fields: Any) -> Lane:
    """Return the lane of this name, made if it is missing."""
    defaults = {"title": name.title(), "description": f"What the {name} desk does.", "hue": 25}
    lane, _ = Lane.objects.get_or_create(name=name, defaults=defaults | fields)
    return lane


def make_article(
    title: str = "A title",
    *,
    lane: Lane | None = None,
    status: str = "live",
    summary: str = "What it says.",
    body: str = BODY,
    sources: int = 1,
    cover: dict[str, Any] | None = None,
    written_by: dict[str, Any] | None = None,
    indexed: bool = False,
) -> Article:
    """Store an article; each one made is an hour younger than the one before."""
    number = next(_numbers)
    at = EPOCH + timedelta(hours=number)
    article = Article.objects.create(
        brief=_make_brief(f"brief-{number}", lane or make_lane()),
        lane=lane or make_lane(),
        slug=f"article-{number}",
        status=status,
        published_at=None if status == "draft" else at,
        modified_at=None if status == "draft" else at,
        cover=cover,
    )
    add_revision(article, title, summary, body, sources=sources, written_by=written_by)
    if indexed:
        replace_chunks(article.pk, embedded_pieces(title, summary, body))
    return article


def add_revision(
    article: Article,
    title: str,
    summary: str,
    body: str,
    *,
    sources: int = 1,
    written_by: dict[str, Any] | None = None,
) -> Revision:
    """Store the article's next revision and make it the one that readers see."""
    revision = Revision.objects.create(
        article=article,
        number=article.revisions.count() + 1,
        title=title,
        summary=summary,
        body=body,
        words=480,
        tags=["type", "ink & paper"],
        written_by=written_by or {"author": "offline", "bundle": 3},
        bundle=article.brief.bundle,
        generation=1,
    )
    for number in range(1, sources + 1):
        Source.objects.create(
            revision=revision,
            key=f"s{number}",
            url=f"https://example.org/{number}",
            final_url=f"https://example.org/{number}",
            title=f"Source {number}",
            site="example.org",
            quote="Words as they stand there.",
            sha256="0" * 64,
            fetched_at=EPOCH,
        )
    article.revision = revision
    article.save(update_fields=["revision"])
    return revision


def _make_brief(brief_id: str, lane: Lane) -> Brief:
    graph, _ = StepGraph.objects.get_or_create(digest="0" * 64, defaults={"entries": []})
    bundle, _ = Bundle.objects.get_or_create(
        lane=lane, version=3, defaults={"voice": "v", "audience": "a", "brief_hints": "h"}
    )
    instance = Instance.objects.create(
        workflow="publish",
        key=brief_id,
        partition=lane.name,
        graph=graph,
        trigger="api",
        payload_hash="0",
        created_at=EPOCH,
    )
    return Brief.objects.create(
        brief_id=brief_id, lane=lane, instance=instance, bundle=bundle, payload={"title": "t"}
    )
