"""Addresses: the routine API, admin, metrics, stored objects, and the site for all else."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from publishing.api.metrics import MetricsView
from publishing.api.views import NowhereView
from publishing.media import serve_object

urlpatterns = [
    path("api", NowhereView.as_view()),
    path("api/", include("publishing.api.urls")),
    path("admin/", admin.site.urls),
    path("metrics", MetricsView.as_view(), name="metrics"),
]
if not settings.S3_BUCKET:
    media = settings.MEDIA_URL.removeprefix("/")
    urlpatterns += [path(f"{media}<path:path>", serve_object, name="media")]
urlpatterns += [path("", include("publishing.site.urls"))]
