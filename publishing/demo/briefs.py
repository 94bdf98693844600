"""The sample briefs, one for each lane, and the local web server of the pages that they cite."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

PAGES = (Path(__file__).parent / "sources").resolve()
BRIEFS = Path(__file__).parent / "briefs"
PLACEHOLDER = "{sources}"  # where the briefs name the server of their source pages
# The order of the lanes on the site; the demo posts in it.
LANES = ("news", "dev", "build", "design", "marketing", "founders", "business", "research")


def load_briefs(sources_url: str) -> list[dict[str, Any]]:
    """Return the briefs as they are posted, with the address at which their sources stand.

    Args:
        sources_url: such as `http://127.0.0.1:18900`, without a slash at the end.
    """
    return [_load(BRIEFS / f"{lane}.json", sources_url) for lane in LANES]


@contextmanager
def serve_sources(port: int) -> Iterator[str]:
    """Serve the source pages on a port of 127.0.0.1 until the block ends; yield the address.

    Raises:
        OSError: the port is taken.
    """
    with ThreadingHTTPServer(("127.0.0.1", port), _handler()) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _load(file: Path, sources_url: str) -> dict[str, Any]:
    text = file.read_text().replace(PLACEHOLDER, sources_url)
    brief: dict[str, Any] = json.loads(text)
    return brief


class _Handler(SimpleHTTPRequestHandler):
    """GET and HEAD of files below the folder: no listings, and no way out of it by links."""

    def send_head(self) -> BytesIO | None:
        """Answer with the head and return the body, or None after a 404."""
        file = Path(self.translate_path(self.path)).resolve()
        if not (file.is_file() and file.is_relative_to(PAGES)):
            self.send_error(404)
            return None
        body = file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return BytesIO(body)

    def guess_type(self, path: object) -> str:
        """Return the media type; the pages are UTF-8."""
        kind = super().guess_type(str(path))
        return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: the terminal belongs to the demo."""


def _handler() -> partial[_Handler]:
    return partial(_Handler, directory=str(PAGES))
