"""A local server in the place of the Message Batches API: it keeps batches and ends them on word.

Point ANTHROPIC_BASE_URL at `url`. Nothing is answered for `POST /v1/messages`.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.publishing.anthropic_server import message

ROOT = "/v1/messages/batches"


@dataclass
class KeptBatch:
    """A batch as the vendor has it; `results` are there once it has ended."""

    number: str
    requests: list[dict[str, Any]]
    created_at: datetime
    results: list[dict[str, Any]] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as the API does."""
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        for result in self.results or []:
            counts[result["result"]["type"]] += 1
        counts["processing"] = len(self.requests) if self.results is None else 0
        return {
            "id": self.number,
            "type": "message_batch",
            "processing_status": "in_progress" if self.results is None else "ended",
            "request_counts": counts,
            "created_at": self.created_at.isoformat(),
            "expires_at": (self.created_at + timedelta(hours=24)).isoformat(),
            "ended_at": None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": "https://elsewhere.example/never-asked",
        }


@dataclass
class BatchServer:
    """A running server.

    Attributes:
        submit: what becomes of a submit: `answers`, `drops` after it was taken in, `refuses` with
            529, or `vanishes`: dropped before it was taken in.
        seen: method and path of each request, in order.
        most: batches of one page.
        ends: what each result is as soon as its batch is taken in; None until `end`.
        on_submit: called once a submit has come, before anything becomes of it.
    """

    url: str = ""
    submit: str = "answers"
    most: int = 1_000
    ends: Mapping[str, Any] | None = None
    on_submit: Callable[[], None] | None = None
    batches: list[KeptBatch] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def take(self, requests: list[dict[str, Any]], age: timedelta = timedelta(0)) -> KeptBatch:
        """Take a batch in, newest first."""
        number = f"msgbatch_{len(self.batches) + 1}"
        kept = KeptBatch(number, requests, datetime.now(UTC) - age)
        self.batches.insert(0, kept)
        if self.ends is not None:
            self.end(**self.ends)
        return kept

    def end(self, kind: str = "succeeded", **fields: Any) -> None:
        """End every batch: each request with a message, or with an error of these fields."""
        for kept in self.batches:
            kept.results = [
                {"custom_id": each["custom_id"], "result": _result(kind, fields)}
                for each in reversed(kept.requests)
            ]

    @property
    def submits(self) -> int:
        """How many batches were asked for."""
        return self.seen.count(f"POST {ROOT}")


def _result(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "succeeded":
        return {"type": kind, "message": message(**fields)}
    if kind == "errored":
        return {"type": kind, "error": {"type": "error", "error": dict(fields)}}
    return {"type": kind}


@contextmanager
def serve_batches() -> Iterator[BatchServer]:
    """Run a server on a free port of 127.0.0.1 until the block ends."""
    server = BatchServer()
    handler = type("Handler", (_Handler,), {"vendor": server})

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), handler) as http_server:
        server.url = f"http://127.0.0.1:{http_server.server_port}"
        thread = threading.Thread(target=http_server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http_server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers for one server."""

    protocol_version = "HTTP/1.1"
    vendor: BatchServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.vendor.seen.append(f"POST {self.path}")
        if self.path != ROOT:
            return self._reply(404, _error("not_found_error"))
        if self.vendor.submit == "refuses":
            return self._reply(529, _error("overloaded_error"))
        if self.vendor.submit == "vanishes":
            return self._drop()
        kept = self.vendor.take(body["requests"])
        if self.vendor.on_submit is not None:
            self.vendor.on_submit()
        if self.vendor.submit == "drops":
            return self._drop()
        return self._reply(200, kept.as_json())

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.vendor.seen.append(f"GET {parts.path}")
        if parts.path == ROOT:
            return self._reply(200, _page(self.vendor, parse_qs(parts.query)))
        number, _, what = parts.path.removeprefix(f"{ROOT}/").partition("/")
        kept = next((each for each in self.vendor.batches if each.number == number), None)
        if kept is None or (what and kept.results is None):
            return self._reply(404, _error("not_found_error"))
        if what == "results":
            lines = [json.dumps(row) for row in kept.results or []]
            return self._reply(200, "\n".join(lines))
        return self._reply(200, kept.as_json())

    def _reply(self, status: int, content: object) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text.encode())))
        self.send_header("request-id", f"req_{len(self.vendor.seen)}")
        self.end_headers()
        self.wfile.write(text.encode())

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: object) -> None:
        return

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()


def _page(server: BatchServer, query: Mapping[str, list[str]]) -> dict[str, Any]:
    numbers = [each.number for each in server.batches]
    after = query.get("after_id")
    start = numbers.index(after[0]) + 1 if after else 0
    most = min(server.most, int(query["limit"][0]))
    page = server.batches[start : start + most]
    return {
        "data": [each.as_json() for each in page],
        "has_more": start + most < len(numbers),
        "first_id": page[0].number if page else None,
        "last_id": page[-1].number if page else None,
    }


def _error(kind: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": f"{kind} here"}}
