"""Addresses of the routine API; only exact paths, and a 404 in JSON for every other one."""

from django.urls import path, re_path

from publishing.api.views import InstanceView, NowhereView, PublishView

app_name = "api"
urlpatterns = [
    path("admin/publish", PublishView.as_view(), name="publish"),
    re_path(
        r"^admin/instances/(?P<instance_id>[A-Za-z0-9_-]{1,141})\Z",
        InstanceView.as_view(),
        name="instance",
    ),
    re_path(r"", NowhereView.as_view(), name="nowhere"),
]
