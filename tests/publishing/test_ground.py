"""The stage `ground`: every source fetched from a real server, or taken for dead."""

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from pytest_django import Settings

from publishing.fetching.sources import MAX_TEXT_CHARS
from publishing.payloads import Brief, BriefSource, Grounded, Validated
from publishing.stages.ground import POLICY, GroundOptions, ground
from tests.publishing.page_server import Answer, PageServer, page, redirect, serve_pages
from workflows.contracts import StepContext
from workflows.errors import NonRetryableError, RetryableError
from workflows.registry import get_step

TEXT = "A paragraph on tea, long enough to be read as one, with cups, milk and a question of taste."
LAST = POLICY.retries  # failed tries before the last one


@pytest.fixture
def web(settings: Settings) -> Iterator[PageServer]:
    with serve_pages() as server:
        settings.FETCH_ALLOW_HOSTS = [server.host]
        yield server


def _brief(*sources: str | BriefSource, **fields: Any) -> Brief:
    return Brief(
        brief_id="tea",
        lane="research",
        title="Eight cups of tea",
        summary=fields.pop("summary", "Whether somebody can taste the order of milk and tea."),
        sources=[BriefSource(url=one) if isinstance(one, str) else one for one in sources],
        **fields,
    )


def _run(
    brief: Brief, *, attempt: int = 1, failures: int = 0, seconds: float = 60, **options: Any
) -> Grounded:
    context = StepContext(
        instance_id="publish-tea",
        key="tea",
        entry="ground",
        generation=1,
        attempt=attempt,
        failures=failures,
        deadline=datetime.now(UTC) + timedelta(seconds=seconds),
        drain=0,
    )
    output = ground(brief, Validated(slug="tea"), GroundOptions(**options), context)
    assert isinstance(output, Grounded)
    return Grounded.model_validate_json(output.model_dump_json())


def _html(body: str, title: str = "") -> str:
    return f"<title>{title}</title><article>{body}</article>"


def test_the_step_is_registered_with_its_contract() -> None:
    registered = get_step("ground")
    assert registered.inputs == {"brief": Brief, "validated": Validated}
    assert registered.output is Grounded


def test_a_brief_without_sources_is_grounded_on_nothing() -> None:
    assert _run(_brief()) == Grounded(sources=[])


def test_sources_come_in_the_order_of_the_brief_with_what_was_read(web: PageServer) -> None:
    first = _html(f"<h2>Tea</h2><p>{TEXT}</p>", "Tea at noon")
    web.pages["/a"] = page(first)
    web.pages["/b"] = page(f"<p>{TEXT}</p>")
    named = BriefSource(url=web.url("/b"), title="Named by the brief", note="The sums")
    one, two = _run(_brief(web.url("/a#part"), named)).sources
    assert (one.id, one.status, one.problem, one.found_in) == ("s1", "fetched", None, None)
    assert (one.url, one.final_url) == (web.url("/a#part"), web.url("/a"))
    assert (one.title, one.site, one.text) == ("Tea at noon", "127.0.0.1", f"## Tea\n\n{TEXT}")
    assert one.sha256 == hashlib.sha256(first.encode()).hexdigest()
    assert (two.id, two.title, two.note) == ("s2", "Named by the brief", "The sums")


def test_a_dead_source_is_kept_with_its_problem(web: PageServer) -> None:
    web.pages["/a"] = page(f"<p>{TEXT}</p>")
    grounded = _run(_brief(web.url("/gone"), web.url("/a"), "http://10.0.0.1/"))
    assert [(one.id, one.status, one.problem, one.text) for one in grounded.sources] == [
        ("s1", "dead", "answers 404", ""),
        ("s2", "fetched", None, TEXT),
        ("s3", "dead", "refused: 10.0.0.1 is not a public address", ""),
    ]
    assert [one.id for one in grounded.fetched] == ["s2"]


def test_a_page_without_text_is_dead(web: PageServer) -> None:
    web.pages["/a"], web.pages["/b"] = page(f"<p>{TEXT}</p>"), page("<script>render()</script>")
    dead = _run(_brief(web.url("/a"), web.url("/b"))).sources[1]
    assert dead.problem == "has no text that can be read without scripts"


def test_one_dead_source_ends_the_instance_where_the_lane_says_so(web: PageServer) -> None:
    web.pages["/a"] = page(f"<p>{TEXT}</p>")
    with pytest.raises(NonRetryableError, match="a source of the brief is dead") as caught:
        _run(_brief(web.url("/a"), web.url("/gone")), dead_links="fail")
    assert caught.value.data == {
        "dead": [{"id": "s2", "url": web.url("/gone"), "problem": "answers 404"}]
    }


def test_a_brief_whose_sources_are_all_dead_ends(web: PageServer) -> None:
    with pytest.raises(
        NonRetryableError, match="an operator may retry when the pages answer again"
    ):
        _run(_brief(web.url("/gone"), web.url("/lost")))
    assert len(web.asked) == 2


def test_a_source_that_may_come_back_is_waited_for_as_long_as_it_asks(web: PageServer) -> None:
    web.pages["/a"] = page(f"<p>{TEXT}</p>")
    web.pages["/b"] = page("", status=503, Retry_After="90")
    with pytest.raises(RetryableError, match="answers 503") as caught:
        _run(_brief(web.url("/a"), web.url("/b")), failures=LAST - 1)
    assert caught.value.delay == timedelta(seconds=90)


def test_on_the_last_attempt_a_source_that_did_not_come_back_is_dead(web: PageServer) -> None:
    web.pages["/a"], web.pages["/b"] = page(f"<p>{TEXT}</p>"), page("", status=503)
    assert [
        one.status for one in _run(_brief(web.url("/a"), web.url("/b")), failures=LAST).sources
    ] == [
        "fetched",
        "dead",
    ]


def test_if_none_came_back_the_last_attempt_is_retryable_still(web: PageServer) -> None:
    web.pages["/a"] = page("", status=500)
    with pytest.raises(RetryableError, match="answers 500"):
        _run(_brief(web.url("/a")), failures=LAST)


def test_tries_that_were_lost_are_not_taken_for_failed_ones(web: PageServer) -> None:
    web.pages["/a"], web.pages["/b"] = page(f"<p>{TEXT}</p>"), page("", status=503)
    with pytest.raises(RetryableError, match="answers 503"):
        _run(_brief(web.url("/a"), web.url("/b")), attempt=LAST + 5, failures=LAST - 1)


@pytest.mark.parametrize(
    "answer",
    [
        redirect("http://[::1"),
        redirect("http://["),
        redirect("//[x]/"),
        page("x", content_type="text/html; charset*=x'y'%zz; charset=\"\xff"),
        page("x", content_type="text/html; charset=" + "x" * 5000),
        page("x", content_type=";;;="),
        page("x", Content_Encoding="é"),
    ],
)
def test_a_hostile_answer_makes_a_dead_source_and_nothing_worse(
    web: PageServer, answer: Answer
) -> None:
    web.pages["/a"], web.pages["/b"] = page(f"<p>{TEXT}</p>"), answer
    grounded = _run(_brief(web.url("/a"), web.url("/b")))
    assert grounded.sources[0].status == "fetched"
    assert grounded.sources[1].text in ("", "x")


def test_a_wait_that_no_clock_shows_is_none(web: PageServer) -> None:
    late = "31 Dec 9999 23:59:59 -235999999999999"
    web.pages["/a"] = page("", status=503, Retry_After=late)
    with pytest.raises(RetryableError, match="answers 503") as caught:
        _run(_brief(web.url("/a")))
    assert caught.value.delay is None


def test_fetching_leaves_no_thread_that_a_stopping_worker_would_wait_for(web: PageServer) -> None:
    daemons: list[bool] = []
    body = page(f"<p>{TEXT}</p>")

    def answer(handler: BaseHTTPRequestHandler) -> None:
        daemons.extend(t.daemon for t in threading.enumerate() if t.name.startswith("ground"))
        body(handler)

    web.pages["/a"] = answer
    _run(_brief(web.url("/a")))
    assert daemons == [True]


def test_an_attempt_without_time_asks_nothing(web: PageServer) -> None:
    web.pages["/a"] = page(f"<p>{TEXT}</p>")
    with pytest.raises(RetryableError, match="did not answer in time"):
        _run(_brief(web.url("/a")), seconds=1)
    assert web.asked == []


def test_one_pass_follows_no_link(web: PageServer) -> None:
    web.pages["/a"] = page(_html(f"<p>{TEXT} See <a href='/twelve'>twelve cups of tea</a>.</p>"))
    assert len(_run(_brief(web.url("/a"))).sources) == 1
    assert [path for path, _ in web.asked] == ["/a"]


def test_a_second_pass_follows_links_of_the_same_host_that_the_brief_asks_for(
    web: PageServer,
) -> None:
    with serve_pages() as other:
        web.pages["/a"] = page(
            _html(
                f"<p>{TEXT}</p><p>Of harbours there is <a href='/harbour'>another page</a>.</p>"
                f"<p>The milk and tea of <a href='/twelve#sum'>twelve cups</a> are worked out"
                f" elsewhere, and <a href='{other.url('/tea')}'>tea and milk</a> abroad.</p>"
                "<p>Back to the <a href='#top'>cups of tea</a>.</p>"
            )
        )
        web.pages["/twelve"] = page(_html(f"<p>Twelve. {TEXT}</p>", "Twelve cups"))
        first, second = _run(_brief(web.url("/a")), passes=2).sources
        assert other.asked == []
    assert (first.id, first.found_in) == ("s1", None)
    assert (second.id, second.found_in, second.status) == ("s2", "s1", "fetched")
    assert (second.url, second.title) == (web.url("/twelve"), "Twelve cups")


def test_a_second_pass_takes_the_three_best_links_at_most(web: PageServer) -> None:
    links = "".join(
        f"<p>{words}, says <a href='/{n}'>this page</a> at length and in detail.</p>"
        for n, words in enumerate(
            ["Tea", "Tea and milk", "Tea, milk, taste", "Milk", "Eight milk tea"]
        )
    )
    web.pages["/a"] = page(_html(f"<p>{TEXT}</p>{links}"))
    for n in range(5):
        web.pages[f"/{n}"] = page(f"<p>{TEXT}</p>")
    brief = _brief(web.url("/a"), summary="taste milk eight")
    grounded = _run(brief, passes=2)
    assert [one.url for one in grounded.sources[1:]] == [
        web.url("/2"),
        web.url("/4"),
        web.url("/1"),
    ]
    assert [one.id for one in grounded.sources] == ["s1", "s2", "s3", "s4"]


def test_a_dead_link_of_the_second_pass_ends_nothing(web: PageServer) -> None:
    web.pages["/a"] = page(_html(f"<p>{TEXT} See <a href='/twelve'>cups of milk</a>.</p>"))
    web.pages["/twelve"] = page("", status=503)
    grounded = _run(_brief(web.url("/a")), passes=2, dead_links="fail")
    assert [one.status for one in grounded.sources] == ["fetched", "dead"]


def test_all_texts_together_keep_to_the_limit_and_short_ones_stay_whole(web: PageServer) -> None:
    web.pages["/short"] = page(f"<p>{TEXT}</p>")
    web.pages["/long"] = page(_html("".join(f"<p>{n} {TEXT}</p>" for n in range(600))))
    urls = [web.url("/short"), *(web.url(f"/long#{n}") for n in range(19))]
    sources = _run(_brief(*urls)).sources
    assert sources[0].text == TEXT
    assert MAX_TEXT_CHARS * 0.98 < sum(len(one.text) for one in sources) <= MAX_TEXT_CHARS
    assert {len(one.text) for one in sources[1:]} == {len(sources[1].text)}
