"""deepen: a second grounding pass, led by what the first left open.

What the brief asks and no fetched source speaks of is looked for behind the links of those
sources. No model is asked: the same sources lead to the same pages. Where nothing is open, or no
link bears on it, the sources go on as they are.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from publishing.fetching.leads import Lead, find_leads, open_questions
from publishing.fetching.links import asked_by, keep_links
from publishing.fetching.robots import Robots
from publishing.fetching.sources import Wanted, fetch_all, share_room
from publishing.payloads import Brief, Grounded
from workflows.contracts import StepContext, StepOptions
from workflows.registry import step


class DeepenOptions(StepOptions):
    """How far to look.

    Attributes:
        pages: fetched at most.
        per_host: of these, from one site at most.
        other_hosts: whether links may lead to other sites than those of the sources.
        seconds: for the whole pass; what has not answered by then is dead.
    """

    pages: Annotated[int, Field(ge=1, le=10)] = 3
    per_host: Annotated[int, Field(ge=1, le=10)] = 2
    other_hosts: bool = True
    seconds: Annotated[int, Field(ge=20, le=300)] = 90


@step("deepen")
def deepen(
    brief: Brief, grounded: Grounded, options: DeepenOptions, context: StepContext
) -> Grounded:
    """Return the sources with those that were found behind their links; ids go on counting.

    A page that does not answer is dead at once: nobody named it, so nothing waits for it.
    """
    deadline = min(datetime.now(UTC) + timedelta(seconds=options.seconds), context.deadline)
    leads = find_leads(open_questions(brief, grounded.fetched), grounded.fetched)
    chosen = list(_choose(leads, grounded, options, Robots(deadline)))
    if not chosen:
        return grounded
    first = 1 + max(int(source.id.removeprefix("s")) for source in grounded.sources)
    wanted = [
        Wanted(id=f"s{number}", url=lead.url, title=lead.title, found_in=lead.found_in)
        for number, lead in enumerate(chosen, start=first)
    ]
    found = [
        result.source.model_copy(update={"links": keep_links(result.links, asked_by(brief))})
        for result in fetch_all(wanted, deadline)
    ]
    return Grounded(sources=share_room([*grounded.sources, *found]))


def _choose(
    leads: list[Lead], grounded: Grounded, options: DeepenOptions, robots: Robots
) -> Iterator[Lead]:
    """Yield the best leads within the bounds that their sites allow."""
    near = {urlsplit(source.final_url).netloc for source in grounded.fetched}
    taken: Counter[str] = Counter()
    for lead in leads:
        host = urlsplit(lead.url).netloc
        may_go = options.other_hosts or host in near
        if not may_go or taken[host] == options.per_host or not robots.allow(lead.url):
            continue
        taken[host] += 1
        yield lead
        if taken.total() == options.pages:
            return
