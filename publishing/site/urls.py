"""Addresses of the readers' site; the slugs that they keep are in `publishing.slugs`."""

from django.urls import path, re_path

from publishing.site import feeds, sitemaps, views

app_name = "site"
urlpatterns = [
    path("", views.home, name="home"),
    path("lanes/<str:name>/", views.lane, name="lane"),
    path("lanes/<str:name>/feed.atom", feeds.of_lane, name="lane_feed"),
    path("search/", views.search, name="search"),
    path("feed.atom", feeds.everything, name="feed"),
    path("sitemap.xml", sitemaps.sitemap, name="sitemap"),
    path("robots.txt", views.robots, name="robots"),
    path("lanes.css", views.lanes_css, name="lanes_css"),
    re_path(r"^(?P<slug>[a-z0-9-]{1,90})/\Z", views.article, name="article"),
]
