"""Fetch one page of the web, within bounds, and never from where it must not.

The guard sits where the connection is made: it resolves the name, checks every address and dials
one of those, so no redirect, parser quirk or second look-up leads around it. Host header and TLS
keep the name. Redirects are followed here, one by one, each as if it were the first.

Not asked for: robots.txt. It speaks to crawlers that discover pages; a source was named by a
routine, which answers for it, and is read once like a reader's click.
"""

import ssl
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import urljoin

import httpcore2
import httpx2
from django.conf import settings

from publishing.fetching.addresses import (
    RefusedAddressError,
    Target,
    UnresolvedNameError,
    read_target,
    resolve,
)

MAX_BODY_BYTES = 5_000_000  # after decompression; the longest web articles stay far below
MAX_REDIRECTS = 5
CONTENT_TYPES = ("text/html", "application/xhtml+xml", "text/plain", "text/markdown")

_CONNECT_SECONDS = 10.0  # an address; the next one of the same name is tried after it
_LONGEST_DELAY = timedelta(hours=1)  # of a Retry-After; beyond it, our own policy knows better
_PASSING = {408, 425, 429}  # RFC 9110, RFC 8470, RFC 6585; with every 5xx


class FetchError(Exception):
    """A page was not fetched; the message says why."""


class DeadPageError(FetchError):
    """The page is not to be had: gone, refused, too large, or nothing that is read here."""


class UnreachablePageError(FetchError):
    """The page may come back by itself.

    Attributes:
        delay: what the server asked to wait (Retry-After), at most an hour.
    """

    def __init__(self, message: str, *, delay: timedelta | None = None) -> None:
        super().__init__(message)
        self.delay = delay


@dataclass(frozen=True)
class FetchedPage:
    """What a server sent.

    Attributes:
        url: where the last redirect led.
        content_type: one of `CONTENT_TYPES`.
        charset: as the header names it, empty if it does not.
        body: decompressed.
    """

    url: str
    content_type: str
    charset: str
    body: bytes


def fetch(url: str, *, deadline: datetime) -> FetchedPage:
    """Fetch the page, following up to five redirects, all of it before the deadline.

    Raises:
        DeadPageError: asking again would not help.
        UnreachablePageError: it may.
    """
    seen: set[str] = set()
    while len(seen) <= MAX_REDIRECTS:
        with _plain_errors():
            target = read_target(url)
            if target.url in seen:
                raise DeadPageError(f"redirects in a circle, at {target.url}")
            seen.add(target.url)
            answer = _ask(target, deadline)
        if isinstance(answer, FetchedPage):
            return answer
        url = answer
    raise DeadPageError(f"redirects more than {MAX_REDIRECTS} times")


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except RefusedAddressError as error:
        raise DeadPageError(f"refused: {error}") from error
    except UnresolvedNameError as error:
        raise UnreachablePageError(str(error)) from error
    except httpcore2.TimeoutException as error:
        raise UnreachablePageError("did not answer in time") from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        if isinstance(error.__cause__ or error.__context__, ssl.SSLCertVerificationError):
            raise DeadPageError(f"has no valid certificate: {error}") from error
        raise UnreachablePageError(f"broke the connection: {error}") from error
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        # What parsers of the standard library say to headers that were made for it.
        raise DeadPageError("answers with headers that cannot be read") from error


def _ask(target: Target, deadline: datetime) -> FetchedPage | str:
    """Return the page, or the address to which it redirects."""
    url = httpcore2.URL(
        scheme=target.scheme, host=target.host, port=target.port, target=target.path
    )
    headers: dict[bytes | str, bytes | str] = {
        "Host": target.netloc,
        "User-Agent": f"Presswork (+{settings.SITE_URL})",
        "Accept": ", ".join(CONTENT_TYPES),
        "Accept-Encoding": "gzip",  # what `_inflate` can bound
        "Connection": "close",
    }
    with (
        # No proxy, netrc or certificate file of the environment: httpcore2 reads none.
        httpcore2.ConnectionPool(
            ssl_context=_tls(), network_backend=_GuardedNetwork(deadline)
        ) as pool,
        pool.stream("GET", url, headers=headers) as response,
    ):
        return _read(target, response)


@cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)


def _read(target: Target, response: httpcore2.Response) -> FetchedPage | str:
    headers = httpx2.Headers(response.headers)
    if response.status in (301, 302, 303, 307, 308) and "location" in headers:
        return _follow(target, headers["location"])
    _check_status(response.status, headers.get("retry-after", ""))
    content_type, charset = _read_content_type(headers.get("content-type", ""))
    encoding = headers.get("content-encoding", "identity").strip().lower()
    chunks: Iterable[bytes] = response.iter_stream()
    if encoding in ("gzip", "x-gzip"):
        chunks = _inflate(chunks)
    elif encoding != "identity":
        raise DeadPageError("is compressed in a way that was not asked for")
    return FetchedPage(
        url=target.url, content_type=content_type, charset=charset, body=_collect(chunks)
    )


def _follow(target: Target, location: str) -> str:
    try:
        return urljoin(target.url, location)
    except ValueError as error:  # such as an IPv6 address without its end
        raise DeadPageError("redirects to what is no URL") from error


def _check_status(status: int, retry_after: str) -> None:
    if status in _PASSING or status >= 500:
        raise UnreachablePageError(f"answers {status}", delay=_read_delay(retry_after))
    if status != 200:
        raise DeadPageError(f"answers {status}")


def _read_delay(retry_after: str) -> timedelta | None:
    """Read seconds or an HTTP date (RFC 9110 10.2.3); what is neither is no wish."""
    value = retry_after.strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), _LONGEST_DELAY.total_seconds()))
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        wait = moment - datetime.now(UTC)
    except (ValueError, TypeError, OverflowError):  # also a year that no clock shows
        return None
    return min(max(wait, timedelta()), _LONGEST_DELAY)


def _read_content_type(header: str) -> tuple[str, str]:
    message = Message()
    message["Content-Type"] = header
    content_type = header.partition(";")[0].strip().lower()
    if content_type not in CONTENT_TYPES:
        raise DeadPageError("is no web page or text by its content type")
    return content_type, message.get_content_charset("")


def _inflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress piece by piece: no chunk, however dense, becomes more than the bound and one."""
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # 16: gzip
    try:
        for chunk in chunks:
            while chunk and not decompressor.eof:
                yield decompressor.decompress(chunk, MAX_BODY_BYTES + 1)
                chunk = decompressor.unconsumed_tail
    except zlib.error as error:
        raise DeadPageError("is compressed wrongly") from error
    if not decompressor.eof:
        raise UnreachablePageError("broke off in the middle")


def _collect(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise DeadPageError(f"is larger than {MAX_BODY_BYTES:,} bytes")
    return bytes(body)


class _GuardedNetwork(httpcore2.NetworkBackend):
    """Dials checked addresses only, and nothing past the deadline."""

    def __init__(self, deadline: datetime) -> None:
        self._deadline = deadline
        self._network = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        failure: Exception | None = None
        for address in resolve(host, port, timeout_seconds=_seconds_until(self._deadline)):
            seconds = min(_seconds_until(self._deadline), _CONNECT_SECONDS)
            try:
                stream = self._network.connect_tcp(address, port, seconds)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _BoundedStream(stream, self._deadline)
        raise failure or httpcore2.ConnectError(f"{host} has no address")


class _BoundedStream(httpcore2.NetworkStream):
    """A connection whose every read and write ends by the deadline, so a trickle ends too."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: datetime) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _seconds_until(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _seconds_until(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        seconds = _seconds_until(self._deadline)
        return _BoundedStream(
            self._stream.start_tls(ssl_context, server_hostname, seconds), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _seconds_until(deadline: datetime) -> float:
    seconds = (deadline - datetime.now(UTC)).total_seconds()
    if seconds <= 0:  # 0 would mean a socket that does not block
        raise httpcore2.ReadTimeout("the deadline has passed")
    return seconds
