"""What the lane's page shows: what is in use, how far from the spine, what runs, what it costs."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from django.db.models import QuerySet

from lanes.compiler import Makeup, prove_makeup
from lanes.distance import Distance, distance_from_spine
from lanes.models import Lane
from lanes.planning import plan_lane
from lanes.spine import SPINE
from publishing.admin.graph_drawing import Drawing, draw
from publishing.admin.graph_rows import entries_of, rows_of_entries, rows_of_plan
from publishing.admin.version_kinds import KINDS, Kind, VersionRow, read_versions
from publishing.ledger.spend import SpendFilter, sum_spend
from publishing.models import Article
from workflows.errors import ContractError
from workflows.models import Instance, Status

OPEN = (Status.QUEUED, Status.RUNNING, Status.WAITING, Status.PAUSED)
VERSIONS_SHOWN = 12
_ARTICLES_SHOWN = 8


@dataclass(frozen=True)
class GraphShown:
    """A graph as it is drawn, and what is to be said of it.

    Attributes:
        distance: from the spine; None where the entries could not be read.
        worst_micros: the most that a brief may cost; None where the graph does not fit.
        fault: what does not fit, with its path.
    """

    drawing: Drawing
    sentence: str = ""
    distance: Distance | None = None
    worst_micros: int | None = None
    fault: ContractError | None = None


@dataclass(frozen=True)
class VersionTable:
    """The newest versions of one kind."""

    kind: Kind
    rows: list[VersionRow]

    @property
    def has_more_than_one(self) -> bool:
        """Whether there is anything to compare; a graph is compared with the spine too."""
        return len(self.rows) + (self.kind.name == "graph") > 1


@dataclass(frozen=True)
class LanePage:
    """The parts of the page."""

    graph: GraphShown
    open_count: int
    articles: list[Article]
    today_micros: int
    month_micros: int
    tables: list[VersionTable]


def read_lane_page(lane: Lane, *, now: datetime) -> LanePage:
    """Read everything that the page shows."""
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), tzinfo=UTC)
    tomorrow = midnight + timedelta(days=1)
    return LanePage(
        graph=show_graph(Makeup.of(lane), reason=lane.graph.reason if lane.graph else ""),
        open_count=open_instances(lane).count(),
        articles=list(_newest_articles(lane)),
        today_micros=_spent(lane, midnight, tomorrow),
        month_micros=_spent(lane, tomorrow - timedelta(days=30), tomorrow),
        tables=[
            VersionTable(kind, read_versions(lane, kind, limit=VERSIONS_SHOWN))
            for kind in KINDS.values()
        ],
    )


def show_graph(made: Makeup, *, reason: str = "") -> GraphShown:
    """Return the graph as it is drawn; of one that does not fit, its entries and the fault."""
    entries = entries_of(SPINE if made.graph is None else made.graph)
    try:
        proved = prove_makeup(made)
    except ContractError as error:
        return GraphShown(draw(rows_of_entries(entries, error.path)), fault=error)
    distance = distance_from_spine(entries)
    drawing = draw(rows_of_plan(proved, distance))
    try:
        plan = plan_lane(made, reason=reason)
    except ContractError as error:  # such as a model that has lost its price
        return GraphShown(drawing, distance=distance, fault=error)
    sentence = plan.sentence.partition(": ")[2]
    return GraphShown(drawing, sentence, distance, plan.worst_micros)


def show_version(lane: Lane, entries: object, *, reason: str) -> GraphShown:
    """Return a stored graph as it would be drawn with the options that are in use."""
    return show_graph(replace(Makeup.of(lane), graph=entries), reason=reason)


def open_instances(lane: Lane) -> QuerySet[Instance]:
    """Return the lane's instances that have not ended."""
    return Instance.objects.filter(partition=lane.name, status__in=OPEN)


def _newest_articles(lane: Lane) -> QuerySet[Article]:
    rows = Article.objects.filter(lane=lane, revision__isnull=False).order_by("-id")
    rows = rows.select_related("revision__bundle", "brief__instance").defer(
        "revision__body", "brief__payload", "brief__embedding"
    )
    return rows[:_ARTICLES_SHOWN]


def _spent(lane: Lane, since: datetime, until: datetime) -> int:
    return sum(each.cost_micros for each in sum_spend(SpendFilter(since, until, lane=lane.name)))
