"""The index stage: an article's revision as searchable chunks, with their embeddings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction

from publishing import directives, embedding, ledger
from publishing.ledger import PaidCall
from publishing.ledger.embedding_prices import worst_of_texts
from publishing.models import Article, Chunk, Revision
from publishing.payloads import Brief, Indexed, Persisted
from publishing.providers import embeddings
from workflows.contracts import StepContext, Transaction
from workflows.errors import NonRetryableError
from workflows.registry import step
from workflows.retries import RetryPolicy

CHUNK_WORDS = 200  # long enough to hold a thought, short enough that one is not drowned
CALL_TIMEOUT = timedelta(minutes=1)  # a hundred chunks take seconds
_SPARE = timedelta(seconds=30)  # kept before the attempt's deadline to settle and to store

# Several times the longest article that a model may write; what bounds the cost of one.
MOST_BYTES = 1_000_000
MOST_CHUNKS = 5_000

POLICY = RetryPolicy(retries=5, delay=timedelta(seconds=20), timeout=timedelta(minutes=10))


@dataclass(frozen=True)
class Piece:
    """A part of an article that is found as one: its heading, its text, its embedding."""

    heading: str
    text: str
    embedding: list[float]
    embedder: str = embeddings.EMBEDDER


def worst_case(_: None) -> int:
    """Return the most micro-dollars that the chunks of one article may cost; 0 without a key."""
    if not settings.VOYAGE_API_KEY:
        return 0
    return worst_of_texts(settings.EMBEDDING_MODEL, text_bytes=MOST_BYTES, texts=MOST_CHUNKS)


@step("index", policy=POLICY, worst_case=worst_case)
def index(brief: Brief, persisted: Persisted, context: StepContext) -> Transaction[Indexed]:
    """Cut the revision into chunks; their rows replace the article's old ones with the record.

    Raises:
        NonRetryableError: the article is too long to be bounded, or a paid answer cannot be
            read; it is paid and shown, not paid again.
        Park, RetryableError: as `ledger.pay` has it.
    """
    if settings.VOYAGE_API_KEY:
        pieces = _paid_pieces(brief, persisted, context)
    else:
        pieces = embedded_pieces(persisted.title, persisted.summary, persisted.body)

    def effect() -> Indexed:
        replace_chunks(persisted.article, pieces)
        return Indexed(article=persisted.article, chunks=len(pieces), embedder=pieces[0].embedder)

    return Transaction(effect)


def embedded_pieces(title: str, summary: str, body: str) -> list[Piece]:
    """Return the article's pieces: headline with summary first, then its sections in order.

    Their vectors are made here and cost nothing.
    """
    parts = _parts_of(title, summary, body)
    vectors = embeddings.embed(_texts_of(parts))
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
                embedder=piece.embedder,
                embedding=piece.embedding,
            )
            for position, piece in enumerate(pieces)
        )
    return True


def _paid_pieces(brief: Brief, persisted: Persisted, context: StepContext) -> list[Piece]:
    parts = _parts_of(persisted.title, persisted.summary, persisted.body)
    texts, vectors = _texts_of(parts), list[list[float]]()
    _refuse_unbounded(persisted, texts)
    ordered = ledger.regeneration_in_force(
        brief.brief_id, entry=context.entry, generation=context.generation
    )
    for start in range(0, len(texts), embedding.MOST_TEXTS):
        batch = texts[start : start + embedding.MOST_TEXTS]
        vectors += _pay_for(batch, start, brief, context, ordered.number)
    name = embedding.embedder_in_use()
    return [Piece(*part, vector, name) for part, vector in zip(parts, vectors, strict=True)]


def _refuse_unbounded(persisted: Persisted, texts: Sequence[str]) -> None:
    size = sum(len(text.encode()) for text in texts)
    if size > MOST_BYTES or len(texts) > MOST_CHUNKS:
        raise NonRetryableError(
            f"{persisted.slug}: {size} bytes in {len(texts)} chunks are more than the {MOST_BYTES} "
            f"in {MOST_CHUNKS} that may be paid for; shorten the article, or index without a key"
        )


def _pay_for(
    texts: list[str], start: int, brief: Brief, context: StepContext, regeneration: int
) -> list[list[float]]:
    answer = ledger.pay(
        PaidCall(
            provider="embedding",
            brief_id=brief.brief_id,
            lane=brief.lane,
            entry=context.entry,
            regeneration=regeneration,
            label=f"chunks-{start}-{start + embedding.MOST_TEXTS - 1}",
            request=embedding.build_request(texts),
            deadline=min(datetime.now(UTC) + CALL_TIMEOUT, context.deadline - _SPARE),
            drain=context.drain,
        )
    )
    try:
        return embedding.read_vectors(answer.body, len(texts))
    except embedding.VectorsError as error:
        raise NonRetryableError(
            f"{error} (call {answer.call}, {answer.cost_micros} micro-dollars, paid once). "
            "A retry reads the same answer again; regenerate from here, or terminate.",
            data={"call": answer.call},
        ) from error


def _last_revision(article: int) -> int | None:
    revisions = Revision.objects.filter(article=article).order_by("-number")
    return revisions.values_list("pk", flat=True).first()


def _texts_of(parts: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{heading}\n{text}" for heading, text in parts]


def _parts_of(title: str, summary: str, body: str) -> list[tuple[str, str]]:
    return [(title, summary), *_sections_of(body)]


def _sections_of(body: str) -> Iterator[tuple[str, str]]:
    for heading, text in directives.sections(body):
        for part in _even_parts(text.split()):
            yield heading, " ".join(part)


def _even_parts(words: list[str]) -> Iterator[list[str]]:
    """Yield parts of nearly equal length, so that no section ends in a chunk of three words."""
    parts = max(1, round(len(words) / CHUNK_WORDS))
    for part in range(parts):
        yield words[len(words) * part // parts : len(words) * (part + 1) // parts]
