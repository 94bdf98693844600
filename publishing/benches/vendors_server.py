"""A server on this machine that answers as the vendors of text, vectors and pictures do, slowly."""

import base64
import hashlib
import io
import json
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

ACCOUNT = "bench"  # at Workers AI
_MESSAGES, _EMBEDDINGS = "/v1/messages", "/v1/embeddings"


class VendorsServer(ThreadingHTTPServer):
    """A running server.

    Attributes:
        article: the JSON object that every text request is answered with.
        delay_seconds: passes before each answer.
        seen: the number of requests that were answered.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, article: Mapping[str, Any], *, delay_seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.delay_seconds = delay_seconds
        self.seen = 0
        self._lock = threading.Lock()
        self._message = _message(article)
        self._picture = _picture()

    @property
    def environment(self) -> dict[str, str]:
        """What makes workers pay here for text, vectors and pictures."""
        address = f"http://127.0.0.1:{self.server_port}"
        return {
            "ANTHROPIC_API_KEY": "bench",
            "ANTHROPIC_BASE_URL": address,
            "TEXT_MODEL": "claude-sonnet-5-5",
            "VOYAGE_API_KEY": "bench",
            "VOYAGE_BASE_URL": f"{address}/v1",
            "EMBEDDING_MODEL": "voyage-4-lite",
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
            "CLOUDFLARE_API_TOKEN": "bench",
            "WORKERS_AI_BASE_URL": f"{address}/client/v4",
        }

    def answer(self, path: str, request: Mapping[str, Any]) -> bytes:
        """Return the answer to a request, and count it."""
        with self._lock:
            self.seen += 1
        if path == _MESSAGES:
            return self._message
        return _vectors(request) if path == _EMBEDDINGS else self._picture


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: VendorsServer

    def do_POST(self) -> None:
        """Read the request, wait, and answer it."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.server.delay_seconds)
        answer = self.server.answer(self.path, request)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serve_vendors(article: Mapping[str, Any], *, delay_seconds: float) -> Iterator[VendorsServer]:
    """Run a server on a free port until the block ends."""
    with VendorsServer(article, delay_seconds=delay_seconds) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _message(article: Mapping[str, Any]) -> bytes:
    return json.dumps(
        {
            "id": "msg_bench",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5-5",
            "content": [{"type": "text", "text": json.dumps(article)}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 6_000, "output_tokens": 1_500},
        }
    ).encode()


def _vectors(request: Mapping[str, Any]) -> bytes:
    """Return a vector for each text, the same for equal ones."""
    rows = [
        {"object": "embedding", "index": index, "embedding": _vector(text, request)}
        for index, text in enumerate(request["input"])
    ]
    usage = {"total_tokens": 250 * len(rows)}
    return json.dumps({"object": "list", "data": rows, "usage": usage}).encode()


def _vector(text: str, request: Mapping[str, Any]) -> str:
    size = request["output_dimension"]
    numbers = [byte - 127.5 for byte in hashlib.shake_256(text.encode()).digest(size)]
    return base64.b64encode(struct.pack(f"<{size}f", *numbers)).decode()


def _picture() -> bytes:
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize((1024, 1024)).convert("RGB").save(buffer, "JPEG")
    image = {"image": base64.b64encode(buffer.getvalue()).decode()}
    return json.dumps({"result": image, "success": True, "errors": [], "messages": []}).encode()
