"""Fetching: real requests to local servers; only names and public addresses are made up."""

import gzip
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from pytest_django import Settings

from publishing.fetching.web import DeadPageError, FetchedPage, UnreachablePageError, fetch
from tests.publishing.page_server import Answer, PageServer, page, redirect, serve_pages

PUBLIC = "93.184.216.34"


@pytest.fixture
def web(settings: Settings) -> Iterator[PageServer]:
    with serve_pages() as server:
        settings.FETCH_ALLOW_HOSTS = [server.host]
        yield server


def _soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=20)


def _stand_in(
    monkeypatch: pytest.MonkeyPatch, addresses: list[list[str]], port: int
) -> tuple[list[str], list[tuple[str, int]]]:
    """Let `pages.example` resolve to each list in turn, and the public address lead to `port`."""
    looked_up: list[str] = []
    dialled: list[tuple[str, int]] = []
    real_lookup, real_connect = socket.getaddrinfo, socket.create_connection

    def getaddrinfo(host: str, to: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "pages.example":
            return real_lookup(host, to, *args, **kwargs)
        answer = addresses[min(len(looked_up), len(addresses) - 1)]
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, to)) for ip in answer]

    def create_connection(address: tuple[str, int], *args: Any, **kwargs: Any) -> Any:
        dialled.append(address)
        target = ("127.0.0.1", port) if address[0] == PUBLIC else address
        return real_connect(target, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket, "create_connection", create_connection)
    return looked_up, dialled


def test_a_page_comes_with_type_charset_and_bytes(web: PageServer) -> None:
    web.pages["/a?b=c"] = page(
        "<p>Grüße</p>".encode("latin-1"), content_type="Text/HTML; Charset=ISO-8859-1"
    )
    assert fetch(web.url("/a?b=c#part"), deadline=_soon()) == FetchedPage(
        url=web.url("/a?b=c"),
        content_type="text/html",
        charset="iso-8859-1",
        body="<p>Grüße</p>".encode("latin-1"),
    )


def test_the_fetcher_says_who_it_is(web: PageServer, settings: Settings) -> None:
    settings.SITE_URL = "https://press.example"
    agents: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        agents.append(handler.headers["User-Agent"])
        page("hello")(handler)

    web.pages["/"] = answer
    fetch(web.url("/"), deadline=_soon())
    assert agents == ["Presswork (+https://press.example)"]


def test_redirects_are_followed_five_times(web: PageServer) -> None:
    for n in range(6):
        web.pages[f"/{n}"] = redirect(f"{n + 1}")
    web.pages["/6"] = page("end")
    assert fetch(web.url("/1"), deadline=_soon()).url == web.url("/6")
    with pytest.raises(DeadPageError, match="redirects more than 5 times"):
        fetch(web.url("/0"), deadline=_soon())


def test_a_circle_of_redirects_is_dead_at_once(web: PageServer) -> None:
    web.pages["/a"], web.pages["/b"] = redirect("/b"), redirect("/a#again")
    with pytest.raises(DeadPageError, match="redirects in a circle"):
        fetch(web.url("/a"), deadline=_soon())
    assert [path for path, _ in web.asked] == ["/a", "/b"]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "http://2130706433:{port}/",
        "http://localhost/",
        "http://[::ffff:127.0.0.1]/",
        "file:///etc/passwd",
        "http://a@127.0.0.1:{own}/",
    ],
)
def test_a_redirect_to_a_private_place_is_refused_and_nothing_is_asked_there(
    web: PageServer, location: str
) -> None:
    with serve_pages() as private:
        private.pages["/"] = page("secret")
        web.pages["/"] = redirect(location.format(port=private.port, own=web.port))
        with pytest.raises(DeadPageError, match="refused: "):
            fetch(web.url("/"), deadline=_soon())
        assert private.asked == []
    assert len(web.asked) == 1


def test_a_name_that_stands_for_a_private_address_is_never_dialled(
    web: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, dialled = _stand_in(monkeypatch, [["127.0.0.1"]], web.port)
    with pytest.raises(DeadPageError, match=r"refused: pages\.example is not a public address$"):
        fetch("http://pages.example/", deadline=_soon())
    assert dialled == []


def test_a_name_that_changes_after_the_check_is_looked_up_once_and_the_checked_address_dialled(
    web: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.pages["/"] = page("public")
    looked_up, dialled = _stand_in(monkeypatch, [[PUBLIC], ["127.0.0.1"]], web.port)
    assert fetch("http://pages.example/", deadline=_soon()).body == b"public"
    assert looked_up == ["pages.example"]
    assert dialled == [(PUBLIC, 80)]
    assert web.asked == [("/", "pages.example")]


def test_a_name_that_changes_before_a_redirect_is_refused_there(
    web: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.pages["/"] = redirect("/next")
    _, dialled = _stand_in(monkeypatch, [[PUBLIC], ["10.0.0.1"]], web.port)
    with pytest.raises(DeadPageError, match=r"pages.example is not a public address$"):
        fetch("http://pages.example/", deadline=_soon())
    assert dialled == [(PUBLIC, 80)]


def test_tls_asks_for_the_name_while_the_checked_address_is_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hello: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take_one() -> None:
            connection, _ = listener.accept()
            with connection:
                hello.append(connection.recv(4096))

        thread = threading.Thread(target=take_one)
        thread.start()
        _, dialled = _stand_in(monkeypatch, [[PUBLIC]], listener.getsockname()[1])
        with pytest.raises(UnreachablePageError, match="broke the connection"):
            fetch("https://pages.example/", deadline=_soon())
        thread.join()
    assert b"pages.example" in hello[0]
    assert dialled == [(PUBLIC, 443)]


def test_a_proxy_of_the_environment_is_not_used(
    web: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.pages["/"] = page("direct")
    with serve_pages() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url("/"))
        assert fetch(web.url("/"), deadline=_soon()).body == b"direct"
        assert proxy.asked == []


def _trickle(server: PageServer, head: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        while not server.stopping.wait(0.05):
            handler.wfile.write(b"x")

    return answer


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: "],
    ids=["body", "header"],
)
def test_a_trickle_ends_at_the_deadline(web: PageServer, head: bytes) -> None:
    web.pages["/"] = _trickle(web, head)
    with pytest.raises(UnreachablePageError, match="did not answer in time"):
        fetch(web.url("/"), deadline=datetime.now(UTC) + timedelta(seconds=0.5))


def test_past_the_deadline_nothing_is_asked(web: PageServer) -> None:
    with pytest.raises(UnreachablePageError, match="did not answer in time"):
        fetch(web.url("/"), deadline=datetime.now(UTC) - timedelta(seconds=1))
    assert web.asked == []


def test_a_compressed_page_is_unpacked(web: PageServer) -> None:
    web.pages["/"] = page(gzip.compress(b"hello " * 1000), Content_Encoding="gzip")
    assert fetch(web.url("/"), deadline=_soon()).body == b"hello " * 1000


def test_a_bomb_is_stopped_at_the_limit(web: PageServer) -> None:
    web.pages["/"] = page(gzip.compress(bytes(60_000_000)), Content_Encoding="gzip")
    with pytest.raises(DeadPageError, match="is larger than 5,000,000 bytes"):
        fetch(web.url("/"), deadline=_soon())


def test_a_page_of_the_limit_passes_and_one_byte_more_does_not(web: PageServer) -> None:
    web.pages["/most"] = page(b"x" * 5_000_000)
    web.pages["/more"] = page(b"x" * 5_000_001)
    assert len(fetch(web.url("/most"), deadline=_soon()).body) == 5_000_000
    with pytest.raises(DeadPageError, match="is larger than"):
        fetch(web.url("/more"), deadline=_soon())


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (page("", status=404), "answers 404"),
        (page("", status=410), "answers 410"),
        (page("", status=403), "answers 403"),
        (page("", status=304), "answers 304"),
        (page("", status=302), "answers 302"),
        (page("{}", content_type="application/json"), "is no web page or text"),
        (page("%PDF", content_type="application/pdf"), "is no web page or text"),
        (page("x", content_type=""), "is no web page or text"),
        (page("x", Content_Encoding="br"), "is compressed in a way that was not asked for"),
        (page("plain text", Content_Encoding="gzip"), "is compressed wrongly"),
    ],
)
def test_what_cannot_be_had_is_dead(web: PageServer, answer: Answer, problem: str) -> None:
    web.pages["/"] = answer
    with pytest.raises(DeadPageError, match=problem):
        fetch(web.url("/"), deadline=_soon())
    assert len(web.asked) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_come_back_is_unreachable(web: PageServer, status: int) -> None:
    web.pages["/"] = page("", status=status)
    with pytest.raises(UnreachablePageError, match=f"answers {status}") as caught:
        fetch(web.url("/"), deadline=_soon())
    assert caught.value.delay is None
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("retry_after", "delay"),
    [
        ("120", timedelta(seconds=120)),
        ("999999999999", timedelta(hours=1)),
        (format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True), timedelta()),
        (format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True), timedelta(hours=1)),
        ("soon", None),
        ("-5", None),
    ],
    ids=["seconds", "too many", "yesterday", "tomorrow", "a word", "negative"],
)
def test_a_wish_to_wait_is_passed_on_up_to_an_hour(
    web: PageServer, retry_after: str, delay: timedelta | None
) -> None:
    web.pages["/"] = page("", status=503, Retry_After=retry_after)
    with pytest.raises(UnreachablePageError) as caught:
        fetch(web.url("/"), deadline=_soon())
    assert caught.value.delay == delay


def test_a_closed_port_is_unreachable(settings: Settings) -> None:
    settings.FETCH_ALLOW_HOSTS = ["127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnreachablePageError, match="broke the connection"):
        fetch(f"http://127.0.0.1:{port}/", deadline=_soon())


def test_a_page_that_breaks_off_is_unreachable(web: PageServer) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nhalf"
        )

    web.pages["/"] = answer
    with pytest.raises(UnreachablePageError, match="broke the connection"):
        fetch(web.url("/"), deadline=_soon())
