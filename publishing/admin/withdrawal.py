"""Take an article off the site, and put it back; its text and address are kept."""

from collections.abc import Iterable

from django.utils import timezone

from publishing.models import Article


def withdraw(articles: Iterable[int]) -> int:
    """Withdraw the live ones, whose pages then answer 410; return how many there were."""
    return _move(articles, Article.Status.LIVE, Article.Status.WITHDRAWN)


def put_back(articles: Iterable[int]) -> int:
    """Make withdrawn ones live again; return how many there were."""
    return _move(articles, Article.Status.WITHDRAWN, Article.Status.LIVE)


def _move(articles: Iterable[int], old: Article.Status, new: Article.Status) -> int:
    rows = Article.objects.filter(pk__in=list(articles), status=old)
    return rows.update(status=new, modified_at=timezone.now())
