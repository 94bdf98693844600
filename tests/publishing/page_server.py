"""A local web server whose pages are given by the test, and which keeps what it was asked."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class PageServer:
    """A running server.

    Attributes:
        pages: path to what answers it; any other path is 404.
        asked: path and Host header of each request, in order.
    """

    port: int = 0
    pages: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"


def page(
    body: str | bytes,
    *,
    status: int = 200,
    content_type: str = "text/html; charset=utf-8",
    **headers: str,
) -> Answer:
    """Answer with a body; header names are given with _ for -."""
    content = body.encode() if isinstance(body, str) else body

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def redirect(location: str) -> Answer:
    """Answer 302 with the location."""
    return page("", status=302, Location=location)


@contextmanager
def serve_pages() -> Iterator[PageServer]:
    """Run a server on a free port of 127.0.0.1 until the block ends."""
    server = PageServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append((self.path, self.headers["Host"]))
            answer = server.pages.get(self.path, page("nothing here", status=404))
            with suppress(BrokenPipeError, ConnectionResetError):  # the client had enough
                answer(self)

        def log_message(self, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        server.port = http_server.server_port
        thread = threading.Thread(target=http_server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            http_server.shutdown()
            thread.join()
