"""`GET /metrics`: the engine's numbers for Prometheus, for whoever holds the one token."""

from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from django.utils.crypto import constant_time_compare
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from publishing.api.problems import Problem
from publishing.api.views import ApiView
from publishing.intake.refusals import Fault
from workflows.metrics import render


class MetricsView(ApiView):
    """The metrics; where no token is set, there is nothing here for anybody."""

    authentication_classes = ()
    permission_classes = ()
    http_method_names = ["get", "head"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse whoever does not show the token, before the method is looked at."""
        super().initial(request, *args, **kwargs)
        if not settings.METRICS_TOKEN:
            raise NotFound
        scheme, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        is_known = constant_time_compare(given.strip(" "), settings.METRICS_TOKEN)
        if scheme.lower() != "bearer" or not is_known:
            raise _not_authenticated()

    def get(self, request: Request) -> HttpResponse:
        """Answer what there is to count now."""
        try:
            text, media_type = render(request.META.get("HTTP_ACCEPT", ""))
        except (OperationalError, InterfaceError) as error:
            raise _database_away() from error
        return HttpResponse(text, content_type=media_type, headers={"Cache-Control": "no-store"})


def _not_authenticated() -> Problem:
    detail = "the metrics are for holders of their token"
    fix = "Send Authorization: Bearer and the value of METRICS_TOKEN."
    return Problem(
        401,
        "not-authenticated",
        detail,
        [Fault(None, "not-authenticated", detail, fix)],
        headers={"WWW-Authenticate": 'Bearer realm="presswork metrics"'},
    )


def _database_away() -> Problem:
    detail = "the database does not answer"
    fix = "Ask again; on the machine, manage.py health says what is wrong."
    return Problem(
        503, "busy", detail, [Fault(None, "busy", detail, fix)], headers={"Retry-After": "5"}
    )
