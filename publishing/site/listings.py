"""Which articles a page lists: live ones only, newest first, in a constant number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet

from lanes.models import Lane
from publishing.models import Article

A_LANE_ON_HOME = 4
A_LANE_PAGE = 20
LAST_PAGE = 9999  # an offset is counted off row by row; nobody reads that far

Item = TypeVar("Item")


@dataclass(frozen=True)
class Section:
    """One lane's share of the home page."""

    lane: Lane
    articles: Sequence[Article]


@dataclass(frozen=True)
class Page(Generic[Item]):
    """One page of a list, and the numbers of its neighbours."""

    items: Sequence[Item]
    number: int
    has_older: bool

    @property
    def newer(self) -> int | None:
        """The page before this one."""
        return self.number - 1 if self.number > 1 else None

    @property
    def older(self) -> int | None:
        """The page after this one."""
        return self.number + 1 if self.has_older and self.number < LAST_PAGE else None


def live_articles() -> QuerySet[Article]:
    """Return the articles that readers see, newest first, without their bodies."""
    live = Article.objects.filter(status=Article.Status.LIVE)
    return (
        live.select_related("lane", "revision")
        .defer("revision__body")
        .order_by("-published_at", "-pk")
    )


def newest() -> Article | None:
    """Return the article that leads the home page."""
    return live_articles().first()


def by_lane(number: int, *, without: Article | None) -> Page[Section]:
    """Return a page of the home page's list: of each lane its next four, in the lanes' order.

    Each lane reads its own few rows from the index, so that no lane crowds another out.
    """
    start = (number - 1) * A_LANE_ON_HOME
    in_lane = Article.objects.filter(lane=OuterRef("pk"), status=Article.Status.LIVE)
    if without:
        in_lane = in_lane.exclude(pk=without.pk)
    ids = in_lane.order_by("-published_at", "-pk").values("pk")
    lanes = list(Lane.objects.annotate(ids=ArraySubquery(ids[start : start + A_LANE_ON_HOME + 1])))
    shown = {lane.pk: lane.ids[:A_LANE_ON_HOME] for lane in lanes}
    articles = live_articles().in_bulk([pk for ids_of_lane in shown.values() for pk in ids_of_lane])
    return Page(
        items=[
            Section(lane, [articles[pk] for pk in shown[lane.pk] if pk in articles])
            for lane in lanes
            if shown[lane.pk]
        ],
        number=number,
        has_older=any(len(lane.ids) > A_LANE_ON_HOME for lane in lanes),
    )


def of_lane(lane: Lane, number: int) -> Page[Article]:
    """Return a page of one lane's articles."""
    start = (number - 1) * A_LANE_PAGE
    articles = list(live_articles().filter(lane=lane)[start : start + A_LANE_PAGE + 1])
    return Page(articles[:A_LANE_PAGE], number, has_older=len(articles) > A_LANE_PAGE)


def next_in_lane(article: Article) -> Article | None:
    """Return the lane's next older article; after the oldest one, its newest."""
    others = live_articles().filter(lane=article.lane_id).exclude(pk=article.pk)
    older = others.filter(published_at__lt=article.published_at) if article.published_at else others
    return older.first() or others.first()
