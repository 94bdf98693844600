"""The index stage, its embedder, and the command that does it again."""

import json
import math
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from publishing.models import EMBEDDING_SIZE, Article, Chunk, Revision
from publishing.payloads import Brief, Indexed, Persisted
from publishing.providers.embeddings import EMBEDDER, embed
from publishing.stages.index import CHUNK_WORDS, embedded_pieces, index, replace_chunks
from tests.publishing.articles import BODY, add_revision, make_article
from workflows.contracts import StepContext, Transaction
from workflows.registry import get_step

pytestmark = pytest.mark.django_db


def test_the_step_takes_persisted_and_gives_indexed() -> None:
    step = get_step("index")
    assert dict(step.inputs) == {"brief": Brief, "persisted": Persisted}
    assert step.output is Indexed


def test_nothing_is_written_before_the_transactional_end() -> None:
    article = make_article()
    ending = _index(article)
    assert isinstance(ending, Transaction)
    assert Chunk.objects.count() == 0
    indexed = ending.effect()
    assert indexed == Indexed(article=article.pk, chunks=3, embedder=EMBEDDER)
    assert list(Chunk.objects.order_by("position").values_list("position", "heading", "text")) == [
        (0, "A title", "What it says."),
        (1, "", "The first paragraph rests on a source."),
        (
            2,
            "A section of its own",
            "A second paragraph, with emphasis, and a pica. Kept apart A note. "
            "Words as they stand there.",
        ),
    ]


def test_the_effect_twice_leaves_the_same_rows() -> None:
    article = make_article()
    for _ in range(2):
        _index(article).effect()
    assert list(Chunk.objects.order_by("position").values_list("position", flat=True)) == [0, 1, 2]


def test_a_long_section_is_cut_into_even_parts_and_loses_no_word() -> None:
    words = [f"w{n}" for n in range(510)]
    pieces = embedded_pieces("t", "s", "## Long\n\n" + " ".join(words))[1:]
    lengths = [len(piece.text.split()) for piece in pieces]
    assert " ".join(piece.text for piece in pieces).split() == words
    assert {piece.heading for piece in pieces} == {"Long"}
    assert lengths == [170, 170, 170]
    assert max(lengths) <= CHUNK_WORDS * 1.5


def test_embeddings_are_unit_vectors_the_same_each_time_and_never_zero() -> None:
    texts = ["", " ", "!?", "the", "type", "活字", "\ud83d\ude00", "Type, type & type" * 500]
    vectors = embed(texts)
    assert vectors == embed(texts)
    assert {len(vector) for vector in vectors} == {EMBEDDING_SIZE}
    assert all(math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-9) for vector in vectors)


def test_an_embedding_is_nearer_to_its_misspelling_than_to_another_matter() -> None:
    containers, misspelt, clocks = embed(["shipping containers", "shiping container", "clocks"])
    assert _cosine(containers, misspelt) > 0.4
    assert abs(_cosine(containers, clocks)) < 0.2


def test_reindex_replaces_all_chunks_and_twice_changes_nothing() -> None:
    make_article("One")
    make_article("Two", status="draft")
    first, second = _reindex("--batch", "1"), _reindex()
    assert (
        first
        == second
        == {
            "articles": 2,
            "chunks": 6,
            "superseded": 0,
            "embedder": EMBEDDER,
        }
    )
    assert Chunk.objects.count() == 6


def test_reindex_reads_the_last_revision_even_before_it_is_live() -> None:
    article = make_article("One")
    live = article.revision
    add_revision(article, "Two", "s", "Newer text.")
    article.revision = live
    article.save()
    _reindex(article.slug)
    assert Chunk.objects.get(position=0).heading == "Two"


def test_reindex_refuses_an_unknown_address_and_changes_nothing() -> None:
    article = make_article(indexed=True)
    before = set(Chunk.objects.values_list("pk", flat=True))
    with pytest.raises(CommandError, match="No article with a text has the address nowhere"):
        _reindex(article.slug, "nowhere")
    assert set(Chunk.objects.values_list("pk", flat=True)) == before


def test_chunks_of_a_revision_that_is_no_longer_the_last_are_not_stored() -> None:
    article = make_article("One")
    old = Revision.objects.get()
    add_revision(article, "Two", "s", BODY)
    pieces = embedded_pieces("One", "s", BODY)
    assert replace_chunks(article.pk, pieces, only_if_last=old.pk) is False
    assert Chunk.objects.count() == 0


def _index(article: Article) -> Transaction[Indexed]:
    brief = Brief(brief_id="b-1", lane="news", title="t", summary="s")
    context = StepContext("publish:b-1", "b-1", "index", 1, 1, datetime.now(UTC), 0)
    ending: Transaction[Indexed] = index(brief, _persisted(article), context)
    return ending


def _persisted(article: Article) -> Persisted:
    revision = Revision.objects.get(article=article)
    return Persisted(
        article=article.pk,
        revision=revision.pk,
        slug=article.slug,
        title=revision.title,
        summary=revision.summary,
        body=revision.body,
    )


def _reindex(*arguments: str) -> dict[str, object]:
    out = StringIO()
    call_command("reindex", *arguments, "--json", stdout=out)
    printed: dict[str, object] = json.loads(out.getvalue())
    return printed


def _cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
