"""What the spend page shows: the sums of a span, the caps now, and what was not paid."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse

from lanes.models import Lane
from publishing.ledger.errors import MissingCapError
from publishing.ledger.savings import Savings, read_savings
from publishing.ledger.spend import SpendFilter, SpendFilterError, Sums, sum_spend_by_each
from publishing.ledger.standing import Standing, read_standings

SHOWN = 40  # rows of a table; the command prints more
FULLEST = 5  # briefs, and steps, that stand among the caps
NARROWED = ("lane", "entry", "model", "brief_id")
TABLES = (
    ("lane", "Lane"),
    ("entry", "Step"),
    ("bundle", "Bundle"),
    ("model", "Model"),
    ("day", "Day"),
    ("brief", "Brief"),
)
_SCOPES = {
    "day": "Everything, today",
    "lane-day": "A lane, today",
    "brief": "One brief",
    "step": "One step",
    "call": "One call",
}


@dataclass(frozen=True)
class Row:
    """A group's sums, and where its calls are listed."""

    sums: Sums
    calls_url: str


@dataclass(frozen=True)
class Table:
    """The sums by one thing; `more` says that there are rows which are not shown."""

    by: str
    title: str
    rows: list[Row]
    more: bool


@dataclass(frozen=True)
class CapBar:
    """A cap with its bar; widths are percentages as SVG takes them."""

    title: str
    standing: Standing
    spent_width: str
    held_from: str
    held_width: str


@dataclass
class SpendPage:
    """The parts of the page; `trouble` says why there are no sums.

    Attributes:
        typed: what stands in the form.
    """

    typed: dict[str, str]
    trouble: str = ""
    caps_trouble: str = ""
    asked: SpendFilter | None = None
    sums: Sums | None = None
    savings: Savings | None = None
    tables: list[Table] = field(default_factory=list)
    caps: list[CapBar] = field(default_factory=list)
    lanes: list[str] = field(default_factory=list)
    calls_url: str = ""


def read_page(given: Mapping[str, str], *, now: datetime) -> SpendPage:
    """Read the page of a query string."""
    typed = {name: given.get(name, "").strip() for name in ("since", "until", *NARROWED)}
    page = SpendPage(typed=typed, lanes=list(Lane.objects.values_list("name", flat=True)))
    try:
        page.caps = [_bar(each) for each in read_standings(now, fullest=FULLEST)]
    except MissingCapError as error:
        page.caps_trouble = str(error)
    try:
        asked = SpendFilter.parse(now=now, **typed)
    except SpendFilterError as error:
        page.trouble = str(error)
        return page
    page.asked, page.calls_url = asked, _calls_url(asked)
    page.typed["since"] = typed["since"] or f"{asked.since:%F}"
    page.typed["until"] = typed["until"] or f"{asked.until - timedelta(days=1):%F}"
    found = sum_spend_by_each(asked, ["", *dict(TABLES)])
    page.sums = found[""][0] if found[""] else Sums("", *[0] * 10)
    page.savings = read_savings(asked, page.sums)
    if page.sums.calls:
        page.tables = [_table(asked, by, title, found[by]) for by, title in TABLES]
    return page


def _table(asked: SpendFilter, by: str, title: str, found: list[Sums]) -> Table:
    rows = [Row(sums, _calls_url(asked, **_narrowed(by, sums.name))) for sums in found[:SHOWN]]
    return Table(by, title, rows, more=len(found) > SHOWN)


def _narrowed(by: str, name: str) -> dict[str, str]:
    """Return how the list of calls is narrowed to a group."""
    if by == "bundle":
        lane, _, version = name.rpartition(" ")
        bundle = {"bundle__isnull": "1"} if version == "without" else {"bundle": version[1:]}
        return {"lane": lane} | bundle
    if by == "day":
        day = datetime.fromisoformat(f"{name}T00:00:00+00:00")
        following = day + timedelta(days=1)
        return {"created_at__gte": day.isoformat(), "created_at__lt": following.isoformat()}
    return {"brief_id" if by == "brief" else by: name}


def _calls_url(asked: SpendFilter, **narrowed: str) -> str:
    own = {name: getattr(asked, name) for name in NARROWED if getattr(asked, name)}
    span = {"created_at__gte": asked.since.isoformat(), "created_at__lt": asked.until.isoformat()}
    return f"{reverse('admin:publishing_call_changelist')}?{urlencode(own | span | narrowed)}"


def _bar(standing: Standing) -> CapBar:
    title = _SCOPES[standing.scope]
    spent = _percent(standing.spent_micros, standing.cap_micros)
    held = min(_percent(standing.held_micros, standing.cap_micros), 100 - spent)
    return CapBar(title, standing, f"{spent:.2f}%", f"{spent:.2f}%", f"{held:.2f}%")


def _percent(part: int, whole: int) -> float:
    return min(100.0, 100 * part / whole) if whole else (100.0 if part else 0.0)
