"""The index stage: an article's revision as searchable chunks, with their embeddings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction

from publishing import directives
from publishing.models import Article, Chunk, Revision
from publishing.payloads import Indexed, Persisted
from publishing.providers import embeddings
from workflows.contracts import Transaction
from workflows.registry import step

CHUNK_WORDS = 200  # long enough to hold a thought, short enough that one is not drowned


@dataclass(frozen=True)
class Piece:
    """A part of an article that is found as one: its heading, its text, its embedding."""

    heading: str
    text: str
    embedding: list[float]


@step("index")
def index(persisted: Persisted) -> Transaction[Indexed]:
    """Cut the revision into chunks; their rows replace the article's old ones with the record."""
    pieces = embedded_pieces(persisted.title, persisted.summary, persisted.body)

    def effect() -> Indexed:
        replace_chunks(persisted.article, pieces)
        return Indexed(article=persisted.article, chunks=len(pieces), embedder=embeddings.EMBEDDER)

    return Transaction(effect)


def embedded_pieces(title: str, summary: str, body: str) -> list[Piece]:
    """Return the article's pieces: headline with summary first, then its sections in order."""
    parts = [(title, summary), *_parts_of(body)]
    vectors = embeddings.embed([f"{heading}\n{text}" for heading, text in parts])
    return [Piece(*part, vector) for part, vector in zip(parts, vectors, strict=True)]


def replace_chunks(
    article: int, pieces: Sequence[Piece], *, only_if_last: int | None = None
) -> bool:
    """Replace the article's chunks in one transaction, and say whether it was done.

    The article's row is locked, so that two at once do not mix their rows. With `only_if_last`
    nothing is done when that revision is no longer the last one stored: whoever stored a newer
    one indexes it.
    """
    with transaction.atomic():
        Article.objects.select_for_update().get(pk=article)
        if only_if_last is not None and only_if_last != _last_revision(article):
            return False
        Chunk.objects.filter(article=article).delete()
        Chunk.objects.bulk_create(
            Chunk(
                article_id=article,
                position=position,
                heading=piece.heading,
                text=piece.text,
                embedder=embeddings.EMBEDDER,
                embedding=piece.embedding,
            )
            for position, piece in enumerate(pieces)
        )
    return True


def _last_revision(article: int) -> int | None:
    revisions = Revision.objects.filter(article=article).order_by("-number")
    return revisions.values_list("pk", flat=True).first()


def _parts_of(body: str) -> Iterator[tuple[str, str]]:
    for heading, text in directives.sections(body):
        for part in _even_parts(text.split()):
            yield heading, " ".join(part)


def _even_parts(words: list[str]) -> Iterator[list[str]]:
    """Yield parts of nearly equal length, so that no section ends in a chunk of three words."""
    parts = max(1, round(len(words) / CHUNK_WORDS))
    for part in range(parts):
        yield words[len(words) * part // parts : len(words) * (part + 1) // parts]
