"""Atom feeds: of everything, and of one lane."""

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.feedgenerator import Atom1Feed, Enclosure
from django.utils.html import escape
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page, require_safe

from lanes.models import Lane
from publishing.models import Article
from publishing.site.bylines import byline_of
from publishing.site.covers import picture_of
from publishing.site.listings import live_articles
from publishing.site.publication import ABOUT, NAME, absolute

ENTRIES = 20


@require_safe
@gzip_page
@cache_control(public=True, max_age=300)
@conditional_page
def everything(request: HttpRequest) -> HttpResponse:
    """Serve the newest articles of all lanes."""
    feed = _feed(title=NAME, about=ABOUT, page="/", address="/feed.atom")
    return _written(feed, live_articles()[:ENTRIES])


@require_safe
@gzip_page
@cache_control(public=True, max_age=300)
@conditional_page
def of_lane(request: HttpRequest, name: str) -> HttpResponse:
    """Serve the newest articles of one lane."""
    lane = get_object_or_404(Lane, name=name)
    page = f"/lanes/{lane.name}/"
    feed = _feed(
        title=f"{NAME}: {lane.title}",
        about=lane.description,
        page=page,
        address=f"{page}feed.atom",
    )
    return _written(feed, live_articles().filter(lane=lane)[:ENTRIES])


def _feed(*, title: str, about: str, page: str, address: str) -> Atom1Feed:
    return Atom1Feed(
        title=title,
        link=absolute(page),
        description=None,
        subtitle=about,
        language="en",
        feed_url=absolute(address),
    )


def _written(feed: Atom1Feed, articles: Iterable[Article]) -> HttpResponse:
    for article in articles:
        _add(feed, article)
    return HttpResponse(feed.writeString("utf-8"), content_type=feed.content_type)


def _add(feed: Atom1Feed, article: Article) -> None:
    revision = article.revision
    if revision is None:
        return
    url = absolute(article.get_absolute_url())
    feed.add_item(
        title=revision.title,
        link=url,
        unique_id=url,
        description=escape(revision.summary),  # the feed says that it is HTML
        author_name=byline_of(revision).author,
        pubdate=article.published_at,
        updateddate=article.modified_at or article.published_at,
        categories=[article.lane.title, *revision.tags],
        enclosures=_enclosures(article),
    )


def _enclosures(article: Article) -> list[Enclosure]:
    picture = picture_of(article.cover)
    if picture is None or article.cover is None:
        return []
    largest = max(article.cover["renditions"], key=lambda rendition: rendition["width"])
    kind = largest["key"].rpartition(".")[2].replace("jpg", "jpeg")
    return [Enclosure(absolute(picture.src), str(largest["body_bytes"]), f"image/{kind}")]
