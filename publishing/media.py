"""Stored objects over HTTP, where the default storage is files on disk."""

from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponseBase
from django.views.static import serve

_FOR_EVER = "public, max-age=31536000, immutable"  # keys hold the SHA-256 of their bytes


def serve_object(request: HttpRequest, path: str) -> HttpResponseBase:
    """Serve one stored object; it never changes, so it may be kept for ever."""
    response: HttpResponseBase = serve(request, path, document_root=str(settings.MEDIA_ROOT))
    if isinstance(response, FileResponse):
        response["Cache-Control"] = _FOR_EVER
    return response
