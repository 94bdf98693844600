"""`bench pages` works, and asks for a page in as many queries at 10 rows as at thousands."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from publishing.benches.crowds import Crowd, fill
from publishing.benches.pages import PAGES


def queries_of_each() -> dict[str, int]:
    """Return how many queries each page that there is takes, once all is warm."""
    client = Client()
    client.force_login(User.objects.get_or_create(username="ann", is_superuser=True,
                                                  is_staff=True)[0])  # fmt: skip
    found = {}
    for name, path in PAGES.items():
        if client.get(path).status_code == 404:
            continue
        with CaptureQueriesContext(connection) as asked:
            client.get(path)
        found[name] = len(asked)
    return found


@pytest.mark.django_db(transaction=True)
def test_no_page_takes_more_queries_when_there_are_thousands() -> None:
    fill(Crowd(articles=10, instances=400))  # one of 200 has failed, and is shown as such
    few = queries_of_each()
    # Keys are never used again: processes keep what they have read of an immutable row.
    call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
    fill(Crowd(articles=2_000, instances=10_000))
    many = queries_of_each()
    assert few.keys() == PAGES.keys() - {"home, page 20"}
    # One more or less: the last article has no next one; an estimate takes a count's place.
    assert [name for name in few if abs(many[name] - few[name]) > 1] == []


@pytest.mark.django_db(transaction=True)
def test_bench_pages_measures_each_page() -> None:
    out = StringIO()
    call_command("bench", "pages", "--quick", "--json", stdout=out)
    report = json.loads(out.getvalue())
    assert [figure["name"] for figure in report["figures"]] == list(PAGES)
    assert report["counted"] == {"instances": 2_000, "articles": 1_000, "records": 8_000}
