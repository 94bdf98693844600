"""A local server in the place of the Messages API: real HTTP, scripted answers, kept requests.

It answers like API version 2026-10-21: JSON with a `request-id` header, errors as
`{"type": "error", …}`. Point ANTHROPIC_BASE_URL at `url`.
"""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[["Exchange"], None]

ARTICLE = {
    "title": "Two clocks, one second",
    "summary": "Why civil time lets go of the turning Earth.",
    "body": "The rule ends in 2035. :cite[s1]",
    "tags": ["time"],
    "citations": [{"source": "s1", "quote": "The rule ends in 2035."}],
}


@dataclass
class Exchange:
    """One request, as it came, and the way to answer it."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    handler: BaseHTTPRequestHandler
    server: "AnthropicServer"
    raw: bytes

    def reply(self, status: int, content: object, **headers: str) -> None:
        """Answer with JSON, or with text as it is; header names are given with _ for -."""
        text = content if isinstance(content, str) else json.dumps(content)
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", "application/json")
        self.handler.send_header("Content-Length", str(len(text.encode())))
        self.handler.send_header("request-id", f"req_{len(self.server.requests)}")
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(text.encode())


@dataclass
class AnthropicServer:
    """A running server.

    Attributes:
        script: answers each request; set another at any time.
        requests: what was asked, in order.
        arrived: released once for each request, before it is answered.
        go_on: what a script may wait for; set when the server ends.
    """

    script: Script
    url: str = ""
    requests: list[Exchange] = field(default_factory=list)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    go_on: threading.Event = field(default_factory=threading.Event)


def message(
    content: object = ARTICLE,
    *,
    stop_reason: str | None = "end_turn",
    usage: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a message as the API sends it; content is text, or JSON that becomes its text."""
    text = content if isinstance(content, str) else json.dumps(content)
    return {
        "id": "msg_local",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": 1_000,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 500,
            "service_tier": "standard",
        }
        if usage is None
        else dict(usage),
        **more,
    }


def answers(content: object = ARTICLE, **fields: Any) -> Script:
    """Answer 200 with a message."""
    return lambda exchange: exchange.reply(200, message(content, **fields))


def answers_raw(text: str) -> Script:
    """Answer 200 with these bytes, whatever they are."""
    return lambda exchange: exchange.reply(200, text)


def fails(status: int, kind: str = "api_error", *, code: str = "", **headers: str) -> Script:
    """Answer an error of this type, with the error code in its details if one is given."""
    error: dict[str, Any] = {"type": kind, "message": f"{kind} here"}
    if code:
        error["details"] = {"error_code": code}
    body = {"type": "error", "error": error, "request_id": "req_local"}
    return lambda exchange: exchange.reply(status, body, **headers)


def redirects(location: str) -> Script:
    """Answer 307, which asks for the same POST elsewhere."""
    return lambda exchange: exchange.reply(307, "", location=location)


def hangs(exchange: Exchange) -> None:
    """Answer nothing until the test lets go."""
    exchange.server.go_on.wait()


def holds(content: object = ARTICLE) -> Script:
    """Answer well, but only when the test lets go."""

    def script(exchange: Exchange) -> None:
        exchange.server.go_on.wait()
        exchange.reply(200, message(content))

    return script


def drops(exchange: Exchange) -> None:
    """Reset the connection without a word."""
    linger = struct.pack("ii", 1, 0)
    exchange.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    exchange.handler.close_connection = True
    exchange.handler.connection.close()


def cuts(exchange: Exchange) -> None:
    """Announce a whole answer and close in its middle."""
    text = json.dumps(message()).encode()
    exchange.handler.send_response(200)
    exchange.handler.send_header("Content-Length", str(len(text)))
    exchange.handler.end_headers()
    exchange.handler.wfile.write(text[: len(text) // 2])
    exchange.handler.close_connection = True


def trickles(exchange: Exchange) -> None:
    """Send headers and a byte whenever the reader might give up; never an end."""
    exchange.handler.send_response(200)
    exchange.handler.send_header("Content-Length", "1000000")
    exchange.handler.end_headers()
    while not exchange.server.go_on.wait(0.05):
        exchange.handler.wfile.write(b" ")
        exchange.handler.wfile.flush()


@contextmanager
def serve_anthropic(script: Script | None = None) -> Iterator[AnthropicServer]:
    """Run a server on a free port of 127.0.0.1 until the block ends."""
    server = AnthropicServer(script or answers())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            exchange = Exchange(self.path, dict(self.headers), json.loads(raw), self, server, raw)
            server.requests.append(exchange)
            server.arrived.release()
            with suppress(OSError):  # the client had enough
                server.script(exchange)

        def log_message(self, *_: object) -> None:
            return

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as http_server:
        server.url = f"http://127.0.0.1:{http_server.server_port}"
        thread = threading.Thread(target=http_server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.go_on.set()
            http_server.shutdown()
            thread.join()
