"""The body of a request: its media type, its size, and what is readable JSON."""

import json
from typing import IO, Any, NoReturn

from django.http import HttpRequest
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from publishing.api.problems import Problem
from publishing.intake.refusals import Fault

BODY_BYTES_MAX = 1024 * 1024
READ_OFF_BYTES_MAX = 8 * 1024 * 1024  # of a body that is refused, so that clients see the answer
DEPTH_MAX = 32  # a brief has 3 levels
_PIECE_BYTES = 64 * 1024


class BrokenBodyError(Exception):
    """The body could not be read to its end: the client has gone, or what it sent is malformed."""


class BriefParser(BaseParser):
    """Reads strict JSON: UTF-8, no NaN, no name twice, at most `DEPTH_MAX` levels."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None
    ) -> Any:
        """Return the JSON value, or raise a problem that says what cannot be read."""
        return read_json(_read_limited(stream))


class JsonOnly(BaseContentNegotiation):
    """Answers are JSON whatever is accepted; bodies are JSON or refused."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser | None:
        """Return the parser of the body's media type; parameters such as charset are ignored."""
        given = (request.content_type or "").split(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == given), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        """Return the first renderer."""
        return renderers[0], renderers[0].media_type


def read_payload(request: Request) -> Any:
    """Return the JSON of the body.

    It stands for `request.data`, which takes an empty or a chunked body for {}.

    Raises:
        UnsupportedMediaType: the body is not announced as JSON.
        Problem: too large, of unknown length, or unreadable.
    """
    parser = JsonOnly().select_parser(request, request.parsers or ())
    if parser is None:
        raise UnsupportedMediaType(request.content_type or "nothing")
    stream = _stream(request)
    if stream is None:
        detail = "the body comes in chunks, which this server cannot read"
        fix = "Send Content-Length."
        raise Problem(411, "length-required", detail, [Fault(None, "length-required", detail, fix)])
    return parser.parse(stream, request.content_type, request.parser_context)


def read_off(request: HttpRequest | Request) -> None:
    """Read what is left of the body, within bounds: unread bytes reset the connection."""
    stream, left = _stream(request), READ_OFF_BYTES_MAX
    try:
        while stream is not None and left > 0 and (piece := _read_piece(stream, left)):
            left -= len(piece)
    except BrokenBodyError:
        return  # there is nothing more to be had


def read_json(body: bytes) -> Any:
    """Return the JSON value of a body.

    Raises:
        Problem: 400, with what is wrong and where.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_object_of_unique_names,
        )
    except UnicodeDecodeError as error:
        raise _unreadable(f"the body is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _unreadable(f"the body is not JSON at {where}: {error.msg}") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise _unreadable("the body has a number of too many digits") from None
    _refuse_depth(value)
    return value


def _stream(request: HttpRequest | Request) -> Any:
    """Return what to read the body from, or None where its end could not be found."""
    environ = getattr(request, "environ", {})  # absent under ASGI, whose stream knows its end
    if environ.get("HTTP_TRANSFER_ENCODING"):
        # Django reads Content-Length bytes; a chunked body has none, but the server ends it.
        return environ["wsgi.input"] if environ.get("wsgi.input_terminated") else None
    return request


def _read_limited(stream: IO[Any]) -> bytes:
    pieces: list[bytes] = []
    left = BODY_BYTES_MAX + 1
    try:
        while left > 0 and (piece := _read_piece(stream, left)):
            pieces.append(piece)
            left -= len(piece)
    except BrokenBodyError:
        raise _unreadable("the body broke off") from None
    if left == 0:
        detail = "the body is larger than 1 MiB (1,048,576 bytes)"
        fix = "Shorten notes, which may have 50,000 characters."
        raise Problem(413, "too-large", detail, [Fault("", "too-large", detail, fix)])
    return b"".join(pieces)


def _read_piece(stream: IO[Any], left: int) -> bytes:
    try:
        return bytes(stream.read(min(left, _PIECE_BYTES)))
    except Exception as error:
        # PEP 3333 names no error of the stream: Django raises OSErrors, servers classes of their
        # own for a malformed chunk. Only the sender's bytes are read here, so it is theirs.
        raise BrokenBodyError(type(error).__name__) from error


def _refuse_constant(name: str) -> NoReturn:
    raise _unreadable(f"the body has {name}, which is not JSON")


def _object_of_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _unreadable("the body has a name twice in one object")
    return made


def _refuse_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        if depth > DEPTH_MAX:
            raise _too_deep()
        level = [inner for outer in level for inner in _inside(outer)]
        depth += 1


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _too_deep() -> Problem:
    return _unreadable(f"the body is nested deeper than {DEPTH_MAX} levels")


def _unreadable(detail: str) -> Problem:
    fix = "Send one JSON object in UTF-8 (RFC 8259), without NaN or repeated names."
    return Problem(400, "unreadable", detail, [Fault("", "unreadable", detail, fix)])
