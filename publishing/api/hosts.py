"""A Host header that this site does not answer to, refused to routines as the API refuses."""

import logging
from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse

from publishing.api.parsing import read_off
from publishing.api.problems import MEDIA_TYPE, Problem
from publishing.intake.refusals import Fault

logger = logging.getLogger(__name__)


class BadHostMiddleware:
    """Answers 400 `bad-host` below /api; elsewhere Django's own page stands.

    It stands first: other middleware asks for the host too, and Django would then answer in HTML,
    under DEBUG with settings and paths.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Look at the host of a request to the API before anything else does."""
        if request.path_info == "/api" or request.path_info.startswith("/api/"):
            try:
                request.get_host()
            except DisallowedHost as error:
                logger.warning("answered 400: %s", error)
                read_off(request)
                return _bad_host()
        return self._get_response(request)


def _bad_host() -> HttpResponse:
    detail = "the Host header names no host of this site"
    fix = "Send requests to the address that operators gave; they list its host in ALLOWED_HOSTS."
    problem = Problem(400, "bad-host", detail, [Fault(None, "bad-host", detail, fix)])
    return JsonResponse(problem.as_json(), status=problem.status, content_type=MEDIA_TYPE)
