"""Every error of the API as `application/problem+json` (RFC 9457), with what would help."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.status import HTTP_422_UNPROCESSABLE_ENTITY as UNPROCESSABLE

from publishing.intake import refusals
from publishing.intake.refusals import Fault, RefusedError
from workflows.errors import CreateBusyError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
BUSY_RETRY_SECONDS = 2
_TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    411: "Length required",
    413: "Too large",
    415: "Unsupported media type",
    422: "Brief does not fit",
    429: "Too many requests",
    500: "Internal error",
    503: "Busy",
}
_STATUSES: dict[type[RefusedError], int] = {
    refusals.UnreadableBriefIdError: UNPROCESSABLE,
    refusals.InvalidBriefError: UNPROCESSABLE,
    refusals.BriefIdTakenError: 409,
    refusals.LaneOutOfScopeError: 403,
    refusals.LaneClosedError: 409,
    refusals.LaneNotReadyError: 409,
    refusals.SameTextError: 409,
    refusals.TooFastError: 429,
}


class Problem(Exception):  # noqa: N818 - the RFC's own word
    """An error as it is answered.

    Attributes:
        code: a stable word for programs; the end of the problem's `type`.
        faults: items of `errors`, at least one.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        faults: Iterable[Fault],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.faults = list(faults)
        self.headers = dict(headers or {})

    def as_json(self) -> dict[str, Any]:
        """Return the members of the problem."""
        return {
            "type": f"urn:presswork:problem:{self.code}",
            "title": _TITLES[self.status],
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "errors": [fault.as_json() for fault in self.faults],
        }

    def as_response(self) -> Response:
        """Return the problem as the answer of an API view."""
        return Response(
            self.as_json(), status=self.status, headers=self.headers, content_type=MEDIA_TYPE
        )


def handle_exception(error: Exception, context: dict[str, Any]) -> Response:
    """Answer any exception of an API view; what nobody expected is logged and not shown."""
    return _problem_of(error, context).as_response()


def _problem_of(error: Exception, context: dict[str, Any]) -> Problem:
    match error:
        case Problem():
            return error
        case RefusedError():
            return _refused(error)
        case CreateBusyError() | OperationalError() | InterfaceError():
            logger.warning("answered 503: %s", error)
            return _busy()
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return _not_authenticated(error)
        case exceptions.MethodNotAllowed():
            fix = "See the Allow header for what may be done here."
            return _simple(405, "method-not-allowed", str(error.detail), fix)
        case exceptions.NotFound() | Http404():
            fix = "Post briefs to /api/admin/publish; follow the `links` of its answers."
            return _simple(404, "not-found", "there is nothing here that this key can see", fix)
        case exceptions.UnsupportedMediaType():
            fix = "Send Content-Type: application/json."
            return _simple(415, "unsupported-media-type", "the body is not announced as JSON", fix)
        case _:
            return _unexpected(error, context)


def _unexpected(error: Exception, context: Mapping[str, Any]) -> Problem:
    view = type(context.get("view")).__name__
    logger.error("%s failed", view, exc_info=error)
    fix = "Send the same brief_id again later; operators find the cause in the log."
    return _simple(500, "internal-error", "something unexpected happened here", fix)


def _refused(error: RefusedError) -> Problem:
    headers = {}
    if isinstance(error, refusals.TooFastError):
        headers["Retry-After"] = str(error.retry_after_seconds)
    return Problem(_STATUSES[type(error)], error.code, str(error), error.faults, headers=headers)


def _busy() -> Problem:
    return _simple(
        503,
        "busy",
        "nothing is known to have been created; sending it again is safe",
        f"Send the same brief_id again in {BUSY_RETRY_SECONDS} s.",
        headers={"Retry-After": str(BUSY_RETRY_SECONDS)},
    )


def _not_authenticated(error: exceptions.APIException) -> Problem:
    return _simple(
        401,
        "not-authenticated",
        str(error.detail),
        "Send Authorization: Bearer and a live key; operators make one with create_routine.",
        headers={"WWW-Authenticate": 'Bearer realm="presswork"'},
    )


def _simple(
    status: int, code: str, detail: str, fix: str, *, headers: Mapping[str, str] | None = None
) -> Problem:
    return Problem(status, code, detail, [Fault(None, code, detail, fix)], headers=headers)
