"""The sitemap: every live article with its true date of change; an index once it grows large."""

from typing import Any

from django.core.paginator import EmptyPage, PageNotAnInteger, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page, require_safe

from lanes.models import Lane
from publishing.models import Article
from publishing.site.publication import absolute

URLS_A_FILE = 10_000  # a fifth of what sitemaps.org allows, for the sake of memory


@require_safe
@gzip_page
@cache_control(public=True, max_age=300)
@conditional_page
def sitemap(request: HttpRequest) -> HttpResponse:
    """Serve all addresses; beyond one file's worth, an index of `?p=1`, `?p=2` and so on."""
    live = Article.objects.filter(status=Article.Status.LIVE).order_by("pk")
    files = Paginator(live.values_list("slug", "modified_at", "published_at"), URLS_A_FILE)
    if "p" not in request.GET and files.num_pages > 1:
        addresses = [absolute(f"/sitemap.xml?p={number}") for number in files.page_range]
        context: dict[str, Any] = {"sitemaps": [{"location": each} for each in addresses]}
        return _xml(request, "sitemap_index.xml", context)
    try:
        page = files.page(request.GET.get("p", 1))
    except (EmptyPage, PageNotAnInteger) as error:
        raise Http404("There is no such part of the sitemap.") from error
    urls = [
        {"location": absolute(f"/{slug}/"), "lastmod": modified or published}
        for slug, modified, published in page.object_list
    ]
    return _xml(request, "sitemap.xml", {"urlset": [*_fixed(page.number), *urls]})


def _fixed(number: int) -> list[dict[str, Any]]:
    if number > 1:
        return []
    lanes = Lane.objects.values_list("name", flat=True)
    return [{"location": absolute(path)} for path in ("/", *(f"/lanes/{name}/" for name in lanes))]


def _xml(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, template, context, content_type="application/xml")
