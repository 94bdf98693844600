"""Spend: sums and calls of a span, caps, what was not paid, and the command that prints them."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from lanes.models import Bundle, Lane
from publishing.ledger.savings import read_savings
from publishing.ledger.spend import SpendFilter, SpendFilterError, list_calls, sum_spend
from publishing.ledger.standing import read_standings
from publishing.models import Brief, Bucket, Call, Cap
from tests.publishing.spending import NOON, call_row
from workflows.dispatch import create_instance
from workflows.graphs import store_graph

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("caps")]
ASKED = SpendFilter.parse(since="2026-11-01", until="2026-11-30", now=NOON)


def run(*words: str) -> str:
    out = StringIO()
    call_command("spend", "--since", "2026-11-01", "--until", "2026-11-30", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def calls() -> list[Call]:
    return [
        call_row("a", cost_micros=1_500, served=2, usage={"input_tokens": 10, "output_tokens": 5}),
        call_row("b", state="unknown", cost_micros=None, model="n", request_id=""),
        call_row("c", state="held", cost_micros=None, lane="trade", bundle=None),
        call_row("d", state="released", cost_micros=0, created_at=NOON - timedelta(days=1)),
        call_row("old", created_at=NOON - timedelta(days=60)),
    ]


@pytest.mark.usefixtures("calls")
def test_only_settled_and_lost_calls_of_the_span_cost() -> None:
    (sums,) = sum_spend(ASKED)
    assert (sums.calls, sums.paid) == (4, 2)
    assert (sums.cost_micros, sums.lost_micros, sums.held_micros) == (201_500, 200_000, 200_000)
    assert (sums.input_tokens, sums.output_tokens) == (10, 5)
    assert (sums.served, sums.saved_micros) == (2, 3_000)


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("by", "costs"),
    [
        ("lane", {"news": 201_500, "trade": 0}),
        ("entry", {"generate": 201_500}),
        ("bundle", {"news v3": 201_500, "trade without": 0}),
        ("model", {"n": 200_000, "m": 1_500}),
        ("day", {"2026-11-23": 201_500, "2026-11-22": 0}),
        ("brief", {"b": 200_000, "a": 1_500, "c": 0, "d": 0}),
    ],
)
def test_each_way_to_sum_adds_up_to_the_same_money(by: str, costs: dict[str, int]) -> None:
    assert {each.name: each.cost_micros for each in sum_spend(ASKED, by=by)} == costs


def test_a_call_counts_on_the_utc_day_of_its_hold() -> None:
    last, first = (
        datetime(2026, 11, 9, 23, 59, 59, 999_999, UTC),
        datetime(2026, 11, 10, tzinfo=UTC),
    )
    call_row("last", cost_micros=1, created_at=last)
    call_row("first", cost_micros=2, created_at=first)
    days = {each.name: each.cost_micros for each in sum_spend(ASKED, by="day")}
    assert days == {"2026-11-09": 1, "2026-11-10": 2}
    ninth = SpendFilter.parse(since="2026-11-09", until="2026-11-09", now=NOON)
    assert sum_spend(ninth)[0].cost_micros == 1


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input_tokens": 1, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 4,
          "output_tokens": 8}, (7, 2, 8)),
        ({"total_tokens": 9}, (9, 0, 0)),
        ({"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}, (3, 0, 4)),
        ({"input_tokens": "many", "output_tokens": 1e40, "cache_read_input_tokens": -5}, (0, 0, 0)),
        ({"input_tokens": None, "output_tokens": [1]}, (0, 0, 0)),
        (None, (0, 0, 0)),
    ],
)  # fmt: skip
def test_whatever_a_vendor_says_of_its_usage_is_read_the_same_in_sums_and_calls(
    usage: dict[str, Any] | None, tokens: tuple[int, int, int]
) -> None:
    call_row("a", usage=usage)
    (sums,) = sum_spend(ASKED)
    (call,) = list_calls(ASKED).calls
    assert (sums.input_tokens, sums.cached_tokens, sums.output_tokens) == tokens
    assert tuple(call[k] for k in ("input_tokens", "cached_tokens", "output_tokens")) == tokens


def test_pages_of_calls_are_complete_and_without_doubles_whatever_their_moments() -> None:
    for number in range(7):
        call_row(f"k{number}", created_at=NOON - timedelta(hours=number // 3 * (-1) ** number))
    seen: list[int] = []
    after = None
    while True:
        page = list_calls(ASKED, after=after, limit=2)
        seen += [call["call"] for call in page.calls]
        after = page.after
        if after is None:
            break
    newest_first = Call.objects.order_by("-created_at", "-pk").values_list("pk", flat=True)
    assert seen == list(newest_first)


@pytest.mark.parametrize(
    "given",
    [{"since": "soon"}, {"since": "2026-11-23", "until": "2026-11-22"}, {"since": "2020-01-01"}],
)
def test_a_span_that_cannot_be_read_or_is_too_long_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(SpendFilterError):
        SpendFilter.parse(now=NOON, **given)


def test_caps_stand_with_what_their_buckets_have_left(lane: Lane) -> None:
    Cap.objects.create(scope="lane-day", name="news", cap_micros=5_000_000)
    keys = ["brief:a", "day:2026-11-23", "lane-day:news:2026-11-23", "step:a/generate"]
    call_row("a", buckets=keys)
    for key in keys:
        Bucket.objects.create(key=key, cap_micros=1, held_micros=200_000, spent_micros=600_000)
    standings = {each.bucket or each.scope: each for each in read_standings(NOON)}
    assert {key: each.left_micros for key, each in standings.items()} == {
        "day:2026-11-23": 59_200_000,
        "lane-day:news:2026-11-23": 4_200_000,
        "brief": 2_000_000,
        "brief:a": 1_200_000,
        "step": 1_000_000,
        "step:a/generate": 200_000,
        "call": 750_000,
    }
    assert standings["day:2026-11-23"].resets_at == datetime(2026, 11, 24, tzinfo=UTC)


def test_what_was_not_paid_is_told_apart_from_what_was(lane: Lane) -> None:
    make_brief(lane, "a", duplicates=3)
    make_brief(lane, "quiet", duplicates=0)
    call_row("a", cost_micros=1_500, served=2)
    call_row("a", cost_micros=500, entry="cover")
    savings = read_savings(span_of_today(), sum_spend(span_of_today())[0])
    assert (savings.duplicates, savings.briefs, savings.duplicates_micros) == (3, 1, 6_000)
    saved = read_savings(ASKED, sum_spend(ASKED)[0])
    assert (saved.served, saved.served_micros) == (2, 3_000)
    assert sum_spend(ASKED)[0].cost_micros == 2_000


@pytest.mark.usefixtures("calls")
def test_the_command_says_everything_as_one_document() -> None:
    told = json.loads(run("--json"))
    assert told["sums"]["cost_micros"] == 201_500
    assert told["would_have_cost"]["would_have_cost_micros"] == 3_000
    assert told["filter"] == {"since": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}
    assert [each["scope"] for each in told["caps"]] == ["day", "brief", "step", "call"]

    lanes = json.loads(run("--json", "--by", "lane"))
    assert [each["lane"] for each in lanes["sums"]] == ["news", "trade"]
    page = json.loads(run("--json", "--calls", "--limit", "2"))
    assert [call["brief_id"] for call in page["calls"]] == ["c", "b"]
    rest = json.loads(run("--json", "--calls", "--after", str(page["after"])))
    assert [call["brief_id"] for call in rest["calls"]] == ["a", "d"]
    assert rest["after"] is None
    paid = rest["calls"][0]
    assert (paid["request_id"], paid["cost_micros"], paid["held_micros"]) == (
        "req_a",
        1_500,
        200_000,
    )
    assert (paid["paid"], paid["served"], paid["state"]) == (True, 2, "settled")


@pytest.mark.usefixtures("calls")
def test_columns_of_money_end_under_each_other() -> None:
    call_row("dear", cost_micros=12_345_678_901, model="n")
    heads, *lines = run("--by", "model").splitlines()
    end = heads.index("cost") + len("cost")
    assert [line[:end].split()[-1] for line in lines] == ["$12,345.878901", "$0.001500"]
    caps = run().splitlines()
    end = next(line.index("left") for line in caps if line.startswith("cap")) + len("left")
    day = next(line for line in caps if line.startswith("day"))
    assert (len(day), day.split()[-1]) == (end, "$60.000000")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--since", "never"], 1), (["--calls", "--limit", "0"], 1),
        (["--calls", "--after", "9"], 1), (["--after", "9"], 2), (["--by", "colour"], 1),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_one_line_and_an_exit_code(words: list[str], code: int) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("spend", *words)
    assert refused.value.returncode == code
    assert "\n" not in str(refused.value)


def test_sums_read_only_the_span_by_its_index() -> None:
    sql, parameters = ASKED.calls.order_by().values("state").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute(f"explain {sql}", parameters)
        assert "publishing_calls_by_day" in "".join(line for (line,) in cursor.fetchall())


@pytest.fixture
def lane() -> Lane:
    return Lane.objects.create(name="news", title="News", hue=25)


def make_brief(lane: Lane, brief_id: str, *, duplicates: int) -> Brief:
    entries = [{"step": "trial_first"}, {"step": "trial_second"}]
    graph = store_graph(entries, workflow="trial")
    instance = create_instance(
        workflow="trial", key=brief_id, partition="p", graph=graph.pk, envelope={"marks": "m"},
        trigger="command",
    )  # fmt: skip
    bundle, _ = Bundle.objects.get_or_create(lane=lane, version=1)
    return Brief.objects.create(
        brief_id=brief_id, lane=lane, instance_id=instance, bundle=bundle, payload={},
        duplicates=duplicates,
    )  # fmt: skip


def span_of_today() -> SpendFilter:
    return SpendFilter.parse(now=datetime.now(UTC) + timedelta(minutes=1))
