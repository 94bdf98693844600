"""A server on this machine that answers like the Messages API, at once and always the same."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_ANSWER = json.dumps(
    {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": "bench",
        "content": [{"type": "text", "text": "An article. " * 400}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1_000, "output_tokens": 500},
    }
).encode()


class MessagesServer(ThreadingHTTPServer):
    """A running server; `seen` counts its requests."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen = 0

    @property
    def url(self) -> str:
        """What ANTHROPIC_BASE_URL is set to."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MessagesServer

    def do_POST(self) -> None:
        """Read the request and answer it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen += 1
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(_ANSWER)))
        self.end_headers()
        self.wfile.write(_ANSWER)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serve_messages() -> Iterator[MessagesServer]:
    """Run a server on a free port until the block ends."""
    with MessagesServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
