"""A small store that speaks as much S3 as one needs to keep covers: PUT, GET and HEAD by path.

For the demo and for tests. It checks no signature, and it can be told to refuse.
"""

import hashlib
import mimetypes
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import unquote, urlsplit

HOST = "127.0.0.1"
_ERRORS = {
    403: ("AccessDenied", "Access Denied."),
    404: ("NoSuchKey", "The specified key does not exist."),
    412: ("PreconditionFailed", "At least one of the preconditions did not hold."),
    429: ("TooManyRequests", "Reduce your concurrent request rate for the same object."),
    500: ("InternalError", "We encountered an internal error. Please try again."),
    501: ("NotImplemented", "This store does not do that."),
    503: ("SlowDown", "Please reduce your request rate."),
}


class StoredObject(NamedTuple):
    """What was put: the bytes, and the headers that come back with them."""

    body: bytes
    headers: dict[str, str]


class Refusal(NamedTuple):
    """Why nothing was stored: a status, and seconds for Retry-After."""

    status: int
    retry_after: int | None = None


class Request(NamedTuple):
    """A request as it came, and the status that it was answered with."""

    method: str
    path: str
    headers: dict[str, str]
    status: int


class ObjectServer:
    """A running store; use it as a context manager.

    Attributes:
        objects: `bucket/key` to what is stored there.
        puts: `bucket/key` to the number of PUTs, refused ones too.
        writes: `bucket/key` to the number of PUTs that stored something.
        requests: all of them, in the order of their answers.
    """

    def __init__(self, port: int = 0) -> None:
        self.objects: dict[str, StoredObject] = {}
        self.puts: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._refusals: list[Refusal] = []
        self._refuses: Callable[[], bool] = lambda: False
        self._server = ThreadingHTTPServer((HOST, port), _handler_of(self))
        self._server.daemon_threads = True  # an idle kept-alive connection holds nobody up
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The endpoint's address, without a bucket."""
        return f"http://{HOST}:{self._server.server_port}"

    def refuse(self, *, times: int, status: int = 503, retry_after: int | None = None) -> None:
        """Answer the next PUTs with an error, and store nothing.

        Args:
            retry_after: seconds that the answer asks the client to wait.
        """
        with self._lock:
            self._refusals += [Refusal(status, retry_after)] * times

    def refuse_while(self, refuses: Callable[[], bool]) -> None:
        """Answer PUTs with 403 AccessDenied as long as the function says so."""
        self._refuses = refuses

    def put(self, name: str, stored: StoredObject, *, only_if_new: bool) -> Refusal | None:
        """Store the object, or say why not."""
        with self._lock:
            self.puts[name] += 1
            if self._refusals:
                return self._refusals.pop(0)
            if self._refuses():
                return Refusal(403)
            if only_if_new and name in self.objects:
                return Refusal(412)
            self.objects[name] = stored
            self.writes[name] += 1
            return None

    def note(self, request: Request) -> None:
        """Keep what was asked and answered."""
        with self._lock:
            self.requests.append(request)


class _Handler(BaseHTTPRequestHandler):
    """Translates between HTTP and the store."""

    protocol_version = "HTTP/1.1"
    store: ObjectServer

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        name = self._name()
        if "/" not in name.strip("/"):
            self._refuse(Refusal(501))
            return
        kind = self.headers["Content-Type"] or mimetypes.guess_type(name)[0]
        kept = {
            "Content-Type": kind or "application/octet-stream",
            "Cache-Control": self.headers["Cache-Control"],
            "ETag": f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"',
        }
        stored = StoredObject(body, {header: value for header, value in kept.items() if value})
        refusal = self.store.put(name, stored, only_if_new=self.headers["If-None-Match"] == "*")
        if refusal:
            self._refuse(refusal)
        else:
            self._answer(200, {"ETag": kept["ETag"]}, b"")

    def do_GET(self) -> None:
        stored = self.store.objects.get(self._name())
        if stored:
            self._answer(200, stored.headers, stored.body)
        else:
            self._refuse(Refusal(404))

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: the terminal belongs to whoever started the store."""

    def _name(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/")

    def _refuse(self, refusal: Refusal) -> None:
        code, message = _ERRORS.get(refusal.status, ("Error", "Refused."))
        headers = {"Content-Type": "application/xml"}
        if refusal.retry_after is not None:
            headers["Retry-After"] = str(refusal.retry_after)
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        text = f'<?xml version="1.0" encoding="UTF-8"?>{body}'
        self._answer(refusal.status, headers, text.encode())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.store.note(Request(self.command, self.path, dict(self.headers.items()), status))
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _handler_of(store: ObjectServer) -> type[_Handler]:
    return type("_HandlerOfStore", (_Handler,), {"store": store})
