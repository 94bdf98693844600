"""What the demo says and asks before it pays for anything."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from rich.console import Console
from rich.text import Text

from lanes.models import Lane
from publishing.demo.briefs import PAGES
from publishing.demo.client import Answer
from publishing.demo.errors import RefusedCostError
from publishing.demo.progress import dollars
from publishing.ledger.estimates import estimate_brief
from publishing.models import Article, Cap


@dataclass(frozen=True)
class Forecast:
    """What publishing some briefs is expected to cost, and the most that it can, in micros."""

    briefs: int
    expected_micros: int
    worst_micros: int


def agree_to_cost(briefs: Sequence[Answer], console: Console, *, agreed: bool) -> None:
    """Print costs and caps and ask, where publishing the briefs costs money; else do nothing.

    Args:
        briefs: the sample briefs; those whose articles are live cost nothing more.
        console: where it is printed.
        agreed: do not ask, the answer is yes.

    Raises:
        RefusedCostError: the answer was no, or nobody is there to be asked.
    """
    forecast = forecast_cost(briefs)
    if not forecast.worst_micros:
        return
    console.print(_told(forecast), highlight=False, markup=False, soft_wrap=True)
    if agreed:
        return
    if not (sys.stdin.isatty() and console.is_terminal):
        raise RefusedCostError(
            "this demo would pay, and there is no terminal to ask on: agree with --yes, or unset"
            " ANTHROPIC_API_KEY for the offline author, which is free"
        )
    if not _says_yes(console, "Publish and pay? [y/N] "):
        raise RefusedCostError("nothing was posted or paid; without ANTHROPIC_API_KEY it is free")


def forecast_cost(briefs: Sequence[Answer]) -> Forecast:
    """Add up what the briefs without a live article may cost, each by its lane's own graph."""
    live = Article.objects.filter(status=Article.Status.LIVE)
    published = set(live.values_list("brief__brief_id", flat=True))
    lanes = Lane.objects.select_related("bundle", "options").in_bulk(field_name="name")
    costs = [
        estimate_brief(lanes[brief["lane"]], prompt_bytes=_prompt_bytes(brief)).total
        for brief in briefs
        if brief["brief_id"] not in published
    ]
    return Forecast(
        briefs=len(costs),
        expected_micros=sum(cost.expected_micros for cost in costs),
        worst_micros=sum(cost.worst_micros for cost in costs),
    )


def _says_yes(console: Console, question: str) -> bool:
    """Ask; no answer, the end of the input and Ctrl-C are a no."""
    try:
        answer = console.input(Text(question))  # as text `[y/N]` is no markup
    except (EOFError, KeyboardInterrupt):
        console.print()  # the cursor still stands behind the question
        return False
    return answer.strip().lower() in ("y", "yes")


def _prompt_bytes(brief: Answer) -> int:
    """Return about how large the request is: the brief, and its pages as they lie here."""
    pages = [PAGES / urlsplit(source["url"]).path.lstrip("/") for source in brief["sources"]]
    sizes: list[int] = [page.stat().st_size for page in pages]
    return len(json.dumps(brief)) + sum(sizes)


def _told(forecast: Forecast) -> str:
    caps = [
        f"  cap: {dollars(cap.cap_micros)} {f'a {cap.scope}' + (cap.name and f', {cap.name}')}"
        for cap in Cap.objects.order_by("cap_micros")
    ]
    first = (
        f"A key is set: {forecast.briefs} articles by {settings.TEXT_MODEL} are expected to cost"
        f" {dollars(forecast.expected_micros)} in all, and at worst"
        f" {dollars(forecast.worst_micros)}."
    )
    lost = "A lost answer counts in full and may be sent for again; no call may exceed a cap:"
    return "\n".join([first, lost, *caps])
