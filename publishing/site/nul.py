"""Refuse the one character that no address of this house has and Postgres stores nowhere: NUL."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse

_NUL = "\x00"
_DETAIL = "the address holds the character NUL"
_FIX = "Send the address without %00."


class RefuseNul:
    """Middleware: NUL in the path is 404, in the query string 400; no view sees either."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Refuse, or pass on."""
        if _NUL in request.path:
            return _refuse(request, 404, "not-found", "Not found")
        query = request.META.get("QUERY_STRING", "")
        if "%00" in query or _NUL in query:
            return _refuse(request, 400, "nul", "Unreadable")
        return self._get_response(request)


def _refuse(request: HttpRequest, status: int, code: str, title: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        return _problem(status, code, title)
    if status == 404:
        return HttpResponseNotFound(f"{_DETAIL}\n", content_type="text/plain")
    return HttpResponse(f"{_DETAIL}\n", status=status, content_type="text/plain")


def _problem(status: int, code: str, title: str) -> JsonResponse:
    """Answer as the API does (RFC 9457); its own renderer needs a view, which is not reached."""
    fault = {"pointer": None, "code": code, "detail": _DETAIL, "fix": _FIX, "allowed": None}
    body = {
        "type": f"urn:presswork:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": _DETAIL,
        "errors": [fault],
    }
    return JsonResponse(body, status=status, content_type="application/problem+json")
