"""How long the server takes for a page of a large publication, without HTTP in between."""

import time
from collections.abc import Mapping

from django.contrib.auth.models import User
from django.test import Client, override_settings

from publishing.benches.crowds import Crowd, count_rows, fill
from publishing.benches.report import BenchError, Figure, Report, Size
from publishing.benches.scratch import scratch_database

MOST_MILLISECONDS = 100.0
PAGES = {
    "home": "/",
    "home, page 20": "/?page=20",
    "lane": "/lanes/news/",
    "article": "/article-7/",
    "search, a rare word": "/search/?q=word7",
    "search, a common word": "/search/?q=typesetting",
    "search, a misspelling": "/search/?q=typesettnig",
    "feed": "/feed.atom",
    "instance list": "/admin/workflows/instance/",
    "instance list, errored": "/admin/workflows/instance/?status=4",
    "instance list, needs a person": "/admin/workflows/instance/?status=needs-person",
    "instance list, one lane": "/admin/workflows/instance/?partition=news",
    "instance list, by ID": "/admin/workflows/instance/?q=publish-b-7",
    "instance list, by words of the title": "/admin/workflows/instance/?q=typesetting",
    "instance page": "/admin/workflows/instance/publish-b-7/change/",
    "admin's first page": "/admin/",
    "article list": "/admin/publishing/article/",
}


_CROWDS: Mapping[Size, Crowd] = {
    Size.FULL: Crowd(articles=100_000, instances=2_000_000),
    Size.QUICK: Crowd(articles=1_000, instances=2_000),
}
_ROUNDS = {Size.FULL: 15, Size.QUICK: 2}


def measure(size: Size) -> Report:
    """Fill a database and ask for each page, once to warm up and then in rounds.

    Raises:
        BenchError: a page did not answer 200.
    """
    # As in production: DEBUG keeps every query.
    with scratch_database(), override_settings(DEBUG=False, ALLOWED_HOSTS=["testserver"]):
        fill(_CROWDS[size])
        client = Client()
        client.force_login(User.objects.create_superuser("bench", "", "bench"))
        figures = [_time(client, name, path, _ROUNDS[size]) for name, path in PAGES.items()]
        return Report("pages", size, figures, counted=count_rows())


def _time(client: Client, name: str, path: str, rounds: int) -> Figure:
    taken = [_ask(client, path) for _ in range(rounds + 1)]
    return Figure(name, "ms", taken[1:], most=MOST_MILLISECONDS)


def _ask(client: Client, path: str) -> float:
    began = time.perf_counter()
    response = client.get(path, secure=True)
    taken = (time.perf_counter() - began) * 1000
    if response.status_code != 200:
        raise BenchError(f"{path} answered {response.status_code}")
    return taken
