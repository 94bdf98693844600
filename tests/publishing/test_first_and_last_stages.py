"""validate, persist and publish: what they write happens once, and nobody's address is taken."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction

from lanes.models import Bundle, Lane
from publishing import models
from publishing.intake.texts import text_digest
from publishing.payloads import (
    Brief,
    Citation,
    Cleaned,
    Cover,
    FetchedSource,
    Grounded,
    Indexed,
    Persisted,
    Validated,
    WrittenBy,
)
from publishing.stages.persist import persist
from publishing.stages.publish import publish
from publishing.stages.validate import ValidateOptions, validate
from tests.trial.stages import ENTRIES
from workflows.contracts import Contract, StepContext, Transaction
from workflows.dispatch import create_instance
from workflows.errors import NonRetryableError, Park
from workflows.graphs import store_graph
from workflows.models import Instance, Status

pytestmark = pytest.mark.django_db

CONTEXT = StepContext(
    instance_id="publish-x",
    key="x",
    entry="persist",
    generation=1,
    attempt=1,
    deadline=datetime.max.replace(tzinfo=UTC),
    drain=0,
)
COVER = Cover(renditions=[], alt="A cover", made_by="test")


def take_in(**fields: Any) -> Brief:
    """Store a brief with its instance, as intake does."""
    lane, _ = Lane.objects.get_or_create(name="news", defaults={"title": "News"})
    bundle, _ = Bundle.objects.get_or_create(lane=lane, version=1)
    brief = Brief(
        **{
            "brief_id": uuid.uuid4().hex,
            "lane": "news",
            "title": "How clocks agree",
            "summary": uuid.uuid4().hex,
        }
        | fields
    )
    instance = create_instance(
        workflow="publish",
        key=brief.brief_id,
        partition="news",
        graph=store_graph(ENTRIES, workflow="trial").pk,
        envelope={},
        trigger="api",
    )
    row = models.Brief.objects.create(
        brief_id=brief.brief_id,
        lane=lane,
        bundle=bundle,
        instance_id=instance,
        payload=brief.model_dump(mode="json"),
    )
    models.Text.objects.create(digest=text_digest(brief), brief=row)
    return brief


def commit(ending: Transaction[Any]) -> Any:
    with transaction.atomic():
        return ending.effect()


def test_a_slug_is_derived_and_numbered_when_it_is_taken() -> None:
    slugs = [commit(validate(take_in(), ValidateOptions())).slug for _ in range(3)]

    assert slugs == ["how-clocks-agree", "how-clocks-agree-2", "how-clocks-agree-3"]


def test_a_brief_keeps_its_slug_when_validate_runs_again() -> None:
    brief = take_in()
    first = commit(validate(brief, ValidateOptions()))

    assert commit(validate(brief, ValidateOptions())).slug == first.slug
    assert models.Slug.objects.count() == 1


@pytest.mark.parametrize("slug", ["taken", "admin"])
def test_a_given_slug_that_is_taken_or_reserved_holds_for_an_editor(slug: str) -> None:
    commit(validate(take_in(slug="taken"), ValidateOptions()))

    with pytest.raises(Park, match=f"the slug '{slug}' is taken") as parked:
        commit(validate(take_in(slug=slug), ValidateOptions()))

    assert parked.value.reason == "operator"
    assert list(models.Slug.objects.values_list("slug", flat=True)) == ["taken"]


def test_a_much_alike_brief_is_noted_held_or_ended_as_the_lane_says() -> None:
    words = {"title": "Containers and the price of freight", "summary": "How boxes changed ports."}
    first = take_in(**words)
    commit(validate(first, ValidateOptions()))
    second = take_in(**words | {"summary": "How the boxes changed ports."})

    noted = commit(validate(second, ValidateOptions()))
    assert [brief_id for brief_id, _ in noted.similar] == [first.brief_id]
    with pytest.raises(Park, match=first.brief_id):
        commit(validate(second, ValidateOptions(similar="hold")))
    with pytest.raises(NonRetryableError, match=first.brief_id):
        commit(validate(second, ValidateOptions(similar="end")))


def test_briefs_on_other_subjects_are_not_alike() -> None:
    commit(validate(take_in(title="Tea", summary="How Fisher tested tasters."), ValidateOptions()))

    other = take_in(title="Write-ahead logs", summary="How Postgres survives a crash.")
    assert commit(validate(other, ValidateOptions())).similar == []


def store(brief: Brief, context: StepContext = CONTEXT) -> Persisted:
    source = FetchedSource(
        id="s1",
        url="https://example.org/a",
        final_url="https://example.org/b",
        status="fetched",
        title="A page",
        site="example.org",
        text="Clocks agree to a nanosecond.",
        sha256="0" * 64,
        fetched_at=datetime(2026, 11, 1, tzinfo=UTC),
    )
    dead = source.model_copy(update={"id": "s2", "status": "dead", "problem": "404"})
    cleaned = Cleaned(
        title="Clocks",
        summary="They agree.",
        body="Clocks agree:cite[s1].",
        citations=[Citation(source="s1", quote="agree to a nanosecond")],
        written_by=WrittenBy(author="offline", bundle=1),
    )
    validated = Validated(slug=f"clocks-{brief.brief_id}")
    grounded = Grounded(sources=[source, dead])
    stored: Persisted = commit(persist(brief, validated, grounded, cleaned, context))
    return stored


def test_persist_stores_a_revision_with_the_sources_that_were_fetched() -> None:
    stored = store(take_in())

    revision = models.Revision.objects.get(pk=stored.revision)
    assert (revision.number, revision.words, revision.title) == (1, 2, "Clocks")
    assert revision.written_by["author"] == "offline"
    (source,) = revision.sources.all()
    assert (source.key, source.quote) == ("s1", "agree to a nanosecond")
    assert (source.url, source.final_url) == ("https://example.org/a", "https://example.org/b")


def test_persisting_again_makes_the_next_revision_and_no_second_article() -> None:
    brief = take_in()
    first, second = store(brief), store(brief)

    assert first.article == second.article
    assert list(models.Revision.objects.order_by("number").values_list("number", flat=True)) == [
        1,
        2,
    ]


def go_live(brief: Brief, stored: Persisted) -> Any:
    indexed: Contract = Indexed(article=stored.article, chunks=1, embedder="test")
    return commit(publish(brief, stored, indexed, COVER))


def test_readers_see_nothing_before_publish_and_the_revision_after_it() -> None:
    brief = take_in()
    stored = store(brief)
    article = models.Article.objects.get()
    assert (article.status, article.revision) == ("draft", None)

    published = go_live(brief, stored)

    article.refresh_from_db()
    assert (article.status, article.revision_id) == ("live", stored.revision)
    assert article.cover is not None
    assert article.cover["alt"] == "A cover"
    assert published.url == article.get_absolute_url()
    assert article.published_at == published.published_at


def test_publishing_a_later_revision_keeps_the_first_date_and_moves_the_modified_one() -> None:
    brief = take_in()
    first = go_live(brief, store(brief))
    models.Article.objects.update(modified_at=datetime(2020, 1, 1, tzinfo=UTC))
    again = go_live(brief, store(brief))

    article = models.Article.objects.get()
    assert first.published_at == again.published_at == article.published_at
    assert article.modified_at is not None
    assert article.modified_at.year > 2020


def take_over(brief: Brief, lane: Lane | None = None) -> models.Brief:
    """Let another brief with the same text have it, as intake does once the first has failed."""
    other = models.Brief.objects.get(brief_id=take_in().brief_id)
    models.Text.objects.filter(brief=other).delete()
    models.Text.objects.filter(brief__brief_id=brief.brief_id).update(brief=other)
    if lane:
        models.Brief.objects.filter(pk=other.pk).update(lane=lane)
    return other


def test_a_text_that_another_brief_has_taken_over_is_not_published_twice() -> None:
    brief = take_in()
    stored = store(brief)
    other = take_over(brief)

    with pytest.raises(NonRetryableError, match="terminate this instance") as refused:
        go_live(brief, stored)

    assert f"brief {other.brief_id} (publish-{other.brief_id}) has it now" in str(refused.value)
    assert models.Article.objects.get().status == "draft"
    assert Instance.objects.count() == 2


def test_who_has_the_text_in_another_lane_is_told_to_operators_only() -> None:
    brief = take_in()
    stored = store(brief)
    other = take_over(brief, Lane.objects.create(name="hidden", title="Hidden"))

    with pytest.raises(NonRetryableError, match="a brief of another lane") as refused:
        go_live(brief, stored)

    assert other.brief_id not in str(refused.value)
    assert refused.value.data == {"held_by": other.brief_id}


def test_a_brief_that_lost_its_text_ends_before_anything_is_paid() -> None:
    brief = take_in()
    take_over(brief)

    with pytest.raises(NonRetryableError, match="has it now"):
        commit(validate(brief, ValidateOptions()))

    assert models.Slug.objects.count() == 0


def test_a_brief_gets_its_text_back_when_its_taker_has_failed_too() -> None:
    brief = take_in()
    stored = store(brief)
    other = take_over(brief)
    Instance.objects.filter(pk=other.instance_id).update(status=Status.ERRORED)

    go_live(brief, stored)

    assert models.Text.objects.get().brief.brief_id == brief.brief_id
    assert models.Article.objects.get().status == "live"


def test_a_run_does_not_put_a_withdrawn_article_back() -> None:
    brief = take_in()
    go_live(brief, store(brief))
    models.Article.objects.update(status="withdrawn")

    with pytest.raises(NonRetryableError, match="put it back in the admin first"):
        commit(validate(brief, ValidateOptions()))
    with pytest.raises(NonRetryableError, match="put it back in the admin first"):
        go_live(brief, store(brief))

    assert models.Article.objects.get().status == "withdrawn"
    assert models.Revision.objects.filter(current_of__isnull=False).get().number == 1
