"""The pages that readers see; GET and HEAD, with validators, without a session or a cookie."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page, require_safe

from lanes.models import Lane
from publishing.directives import render_body
from publishing.models import Article, Revision
from publishing.search import QUERY_LENGTH
from publishing.search import search as search_articles
from publishing.site import listings
from publishing.site.bylines import byline_of
from publishing.site.covers import picture_of
from publishing.site.lane_colours import stylesheet
from publishing.site.metadata import article_as_json_ld
from publishing.site.publication import absolute

# Packed, for a page holds no secret that its length could betray (BREACH).
# Asked again each time and mostly answered by 304, so that what is withdrawn is gone at once.
_asked_again = cache_control(public=True, max_age=0, must_revalidate=True)


@require_safe
@gzip_page
@_asked_again
@conditional_page
def home(request: HttpRequest) -> HttpResponse:
    """Show the newest article large, then each lane's newest."""
    number = _page_number(request)
    lead = listings.newest()
    page = listings.by_lane(number, without=lead)
    if number > 1 and not page.items:
        raise Http404("There are no articles this old.")
    context = {"lead": lead, "page": page, "canonical": _canonical("/", number)}
    return render(request, "site/home.html", context)


@require_safe
@gzip_page
@_asked_again
@conditional_page
def lane(request: HttpRequest, name: str) -> HttpResponse:
    """List one lane's articles, newest first."""
    number = _page_number(request)
    found = get_object_or_404(Lane, name=name)
    page = listings.of_lane(found, number)
    if number > 1 and not page.items:
        raise Http404("There are no articles this old.")
    canonical = _canonical(f"/lanes/{found.name}/", number)
    return render(request, "site/lane.html", {"lane": found, "page": page, "canonical": canonical})


@require_safe
@gzip_page
@_asked_again
@conditional_page
def article(request: HttpRequest, slug: str) -> HttpResponse:
    """Show an article with its sources; one that was withdrawn says so with 410."""
    readable = Article.objects.select_related("lane", "brief", "revision__bundle")
    found = get_object_or_404(readable.exclude(status=Article.Status.DRAFT), slug=slug)
    if found.status == Article.Status.WITHDRAWN:
        return render(request, "site/withdrawn.html", {"lane": found.lane}, status=410)
    if found.revision is None:
        raise Http404("This article has no text.")
    return render(request, "site/article.html", article_context(found, found.revision))


def article_context(found: Article, revision: Revision) -> dict[str, Any]:
    """Return what the article's page shows of one of its revisions."""
    sources = list(revision.sources.all())
    byline, picture = byline_of(revision), picture_of(found.cover)
    return {
        "article": found,
        "revision": revision,
        "lane": found.lane,
        "body": render_body(revision.body, sources=sources),
        "sources": sources,
        "byline": byline,
        "picture": picture,
        "share_image": absolute(picture.src) if picture else "",
        "next": listings.next_in_lane(found),
        "canonical": absolute(found.get_absolute_url()),
        "json_ld": article_as_json_ld(
            found, revision, sources=sources, byline=byline, picture=picture
        ),
    }


@require_safe
@gzip_page
@_asked_again
@conditional_page
def search(request: HttpRequest) -> HttpResponse:
    """Show what answers `q`; without it, the form."""
    query = request.GET.get("q", "")[:QUERY_LENGTH].strip()
    context = {
        "query": query,
        "found": search_articles(query),
        "query_length": QUERY_LENGTH,
        "canonical": absolute("/search/"),
    }
    return render(request, "site/search.html", context)


@require_safe
@cache_control(public=True, max_age=3600)
@conditional_page
def lanes_css(request: HttpRequest) -> HttpResponse:
    """Serve the lanes' hues; pages may hold no style of their own."""
    return HttpResponse(stylesheet(Lane.objects.all()), content_type="text/css; charset=utf-8")


@require_safe
@cache_control(public=True, max_age=3600)
def robots(request: HttpRequest) -> HttpResponse:
    """Tell crawlers what is not for them, and where the sitemap is."""
    lines = ["User-agent: *", "Disallow: /admin/", "Disallow: /api/", "Disallow: /search/", ""]
    text = "\n".join([*lines, f"Sitemap: {absolute('/sitemap.xml')}", ""])
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


def _page_number(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0
    if not 1 <= number <= listings.LAST_PAGE:
        raise Http404("A page's number is a whole number from 1.")
    return number


def _canonical(path: str, number: int) -> str:
    return absolute(path if number == 1 else f"{path}?page={number}")
