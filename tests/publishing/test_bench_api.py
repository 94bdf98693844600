"""`bench api` and `bench pipeline` do what they count, and leave nothing behind."""

import json
from collections import Counter
from typing import Any

import pytest
from django.db import connection

from publishing.benches import api, bare
from publishing.benches.auditing import check_buckets
from publishing.benches.report import BenchError, Figure
from publishing.models import Brief, Bucket
from tests.publishing.test_bench_spend import databases, run_bench

pytestmark = pytest.mark.django_db(transaction=True)


def report_of(name: str) -> dict[str, Any]:
    # Keys, a bucket and an address that must not be used: a bench asks its own servers.
    ran = run_bench(
        name,
        "--quick",
        "--json",
        DJANGO_SETTINGS_MODULE="publishing.settings",
        ANTHROPIC_API_KEY="sk-real",
        ANTHROPIC_BASE_URL="http://127.0.0.1:9",
        OPENAI_API_KEY="sk-real",
        OPENAI_BASE_URL="http://127.0.0.1:9",
        S3_BUCKET="the-operators",
        S3_ENDPOINT_URL="http://127.0.0.1:9",
    )
    assert ran.returncode == 0, ran.stderr
    report: dict[str, Any] = json.loads(ran.stdout)
    assert (report["bench"], report["size"]) == (name, "quick")
    return report


def test_the_api_bench_counts_what_the_database_holds_and_leaves_nothing_behind() -> None:
    before = databases()
    report = report_of("api")
    assert report["counted"].keys() == {"one bare insert", "new briefs", "duplicates"}
    # Eight senders post at least once in the warm-up, and again in the only round.
    assert min(report["counted"].values()) >= 16
    marks = {figure["name"]: figure["least"] for figure in report["figures"]}
    assert {name: least for name, least in marks.items() if least} == {
        "new briefs": 300.0,
        "duplicates": 1_000.0,
    }
    assert marks.keys() >= {
        "one bare insert",
        "new briefs, p50",
        "new briefs, p99",
        "duplicates, p50",
        "duplicates, p99",
        "new briefs by bare inserts",
    }
    assert databases() == before
    assert Brief.objects.count() == 0


def test_the_pipeline_bench_publishes_each_brief_once_and_pays_three_calls_for_it() -> None:
    before = databases()
    report = report_of("pipeline")
    assert report["counted"] == {"briefs": 3, "paid calls": 9}
    assert [figure["name"] for figure in report["figures"]] == [
        "briefs, 1 worker x 4 threads",
        "the vendors alone would allow, 1 worker x 4 threads",
    ]
    assert databases() == before
    assert Brief.objects.count() == 0


def test_a_bench_of_the_api_is_refused_when_rows_are_missing() -> None:
    with connection.cursor() as cursor:
        cursor.execute(bare.TABLE)
    try:
        with pytest.raises(BenchError, match=r"counted .*'new briefs': 1"):
            api._check(Counter({"new briefs": 1}))
        api._check(Counter())
    finally:
        with connection.cursor() as cursor:
            cursor.execute("drop table yard")


def test_a_bucket_that_does_not_add_up_is_no_figure() -> None:
    check_buckets()
    Bucket.objects.create(key="day:2026-01-01", cap_micros=10, spent_micros=1)
    with pytest.raises(BenchError, match="day:2026-01-01"):
        check_buckets()


@pytest.mark.parametrize(
    ("figure", "remark"),
    [
        (Figure("briefs", "1/s", [300.0], least=300.0), "reaches 300"),
        (Figure("briefs", "1/s", [299.0], least=300.0), "misses 300"),
        (Figure("a page", "ms", [100.0], most=100.0), "within 100"),
        (Figure("a page", "ms", [101.0], most=100.0), "misses 100"),
        (Figure("an insert", "1/s", [1.0], is_yardstick=True), "yardstick"),
        (Figure("a step", "ms", [1.0]), ""),
    ],
)
def test_a_figure_is_shown_beside_its_mark(figure: Figure, remark: str) -> None:
    assert figure.remark == remark
