"""Addresses: the routine API, the admin, stored objects, and the site for all that is left."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from publishing.api.views import NowhereView
from publishing.media import serve_object

urlpatterns = [
    path("api", NowhereView.as_view()),
    path("api/", include("publishing.api.urls")),
    path("admin/", admin.site.urls),
]
if not settings.S3_BUCKET:
    media = settings.MEDIA_URL.removeprefix("/")
    urlpatterns += [path(f"{media}<path:path>", serve_object, name="media")]
urlpatterns += [path("", include("publishing.site.urls"))]
