"""The routine API: post a brief, look at its instance."""

from typing import Any, NoReturn, cast

from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from publishing.answers import describe_submission
from publishing.api.authentication import RoutineSender
from publishing.api.parsing import JsonOnly, read_off, read_payload
from publishing.instances import describe_instance, find_instance, instance_path
from publishing.intake.submit import submit_brief


class AsciiRenderer(JSONRenderer):
    """JSON in ASCII: an answer that quotes a lone surrogate must still be sendable."""

    ensure_ascii = True


class ApiView(APIView):
    """Base of the API's views: JSON in, JSON out, and bodies read to their end."""

    renderer_classes = (AsciiRenderer,)
    content_negotiation_class = JsonOnly

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Read off what a refusal left unread, else the client sees a broken pipe."""
        read_off(request)
        return super().finalize_response(request, response, *args, **kwargs)


class PublishView(ApiView):
    """`POST /api/admin/publish`: take a brief, once for each brief_id."""

    def post(self, request: Request) -> Response:
        """Answer 202 for a new brief, 200 for one that was posted before."""
        submission = submit_brief(read_payload(request), _sender(request))
        body = describe_submission(submission, base=_base(request))
        headers = {"Location": instance_path(body["instance_id"])}
        return Response(body, status=202 if submission.created else 200, headers=headers)


class InstanceView(ApiView):
    """`GET /api/admin/instances/{instance_id}`: how far a brief has come."""

    def get(self, request: Request, instance_id: str) -> Response:
        """Answer the instance; an unknown one and one of a lane out of scope look the same."""
        brief = find_instance(instance_id, _sender(request).lanes)
        if brief is None:
            raise NotFound
        return Response(describe_instance(brief, base=_base(request)))


class NowhereView(ApiView):
    """Any other path below /api/: 404, whoever asks, by whatever method."""

    authentication_classes = ()
    permission_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse before the method is looked at."""
        super().initial(request, *args, **kwargs)
        raise NotFound


def _sender(request: Request) -> RoutineSender:
    return cast("RoutineSender", request.user)  # DRF's word for whoever was recognised


def _base(request: Request) -> str:
    return request.build_absolute_uri("/").rstrip("/")
