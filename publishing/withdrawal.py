"""Take an article off the site, and put it back; its text and address are kept."""

from collections.abc import Iterable

from django.db import connection, transaction
from django.utils import timezone

from publishing.intake.texts import regain_text
from publishing.models import Article, Brief
from workflows.models import LogEntry


class TextTakenError(Exception):
    """Another brief has published the same text since; nothing changed."""

    def __init__(self, brief: Brief) -> None:
        super().__init__(
            f"the text of {brief.brief_id} belongs to another brief now; withdraw its article "
            "first, then put this one back"
        )


def withdraw(articles: Iterable[int], *, actor: str, why: str = "") -> int:
    """Withdraw the live ones, whose pages then answer 410; return how many there were."""
    return sum(_withdraw(article, actor, why) for article in articles)


def put_back(articles: Iterable[int], *, actor: str, why: str = "") -> tuple[int, list[str]]:
    """Make withdrawn ones live again; return how many there were, and why others were refused."""
    number, refused = 0, []
    for article in articles:
        try:
            number += _put_back(article, actor, why)
        except TextTakenError as error:
            refused.append(str(error))
    return number, refused


@transaction.atomic
def _withdraw(article: int, actor: str, why: str) -> bool:
    if not _move(article, Article.Status.LIVE, Article.Status.WITHDRAWN):
        return False
    _log(article, "withdrawn", actor, why)
    return True


@transaction.atomic
def _put_back(article: int, actor: str, why: str) -> bool:
    brief = Brief.objects.get(article=article)
    rows = Article.objects.filter(pk=article, status=Article.Status.WITHDRAWN)
    if not rows.exists():  # spares others' texts a lock; the move below decides
        return False
    # The text before the article, as a run that publishes locks them.
    if not regain_text(brief):
        raise TextTakenError(brief)
    if not _move(article, Article.Status.WITHDRAWN, Article.Status.LIVE):
        return False
    _log(article, "put back", actor, why)
    return True


def _move(article: int, old: Article.Status, new: Article.Status) -> bool:
    rows = Article.objects.filter(pk=article, status=old)
    return rows.update(status=new, modified_at=timezone.now()) == 1


def _log(article: int, kind: str, actor: str, why: str) -> None:
    instance = Brief.objects.select_related("instance").get(article=article).instance
    with connection.cursor() as cursor:
        cursor.execute("select pg_current_xact_id()::text::bigint")
        (number,) = cursor.fetchone()
    LogEntry.objects.create(
        transaction=number,
        instance=instance,
        generation=instance.generation,
        kind=kind,
        actor=actor,
        why=why,
        at=timezone.now(),
    )
