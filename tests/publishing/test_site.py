"""The readers' pages: what they show, what they refuse, and what they cost."""

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import get_resolver

from publishing.models import Article
from publishing.site import sitemaps
from publishing.site import urls as site_urls
from publishing.slugs import RESERVED, derive_slug, is_reserved
from tests.publishing.articles import add_revision, make_article, make_lane

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"
MAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
COVER = {
    "renditions": [
        {"key": "covers/wide.webp", "width": 1200, "height": 630, "body_bytes": 9000},
        {"key": "covers/small.webp", "width": 600, "height": 315, "body_bytes": 4000},
    ],
    "alt": 'Cover: "quoted" & plain',
    "made_by": "typographic",
}


@pytest.fixture(autouse=True)
def _site_url(settings: Any) -> None:
    settings.SITE_URL = "https://standing.example"


def test_an_empty_site_says_what_to_do(client: Client) -> None:
    make_lane("news")
    assert "manage.py submit_brief" in _page(client, "/")
    assert "Nothing from this desk yet" in _page(client, "/lanes/news/")
    assert "Subscribe" in _page(client, "/")


def test_home_leads_with_the_newest_and_lists_the_rest_by_lane_in_their_order(
    client: Client,
) -> None:
    news, design = make_lane("news", place=1), make_lane("design", place=0)
    for title in ("old news", "newer news"):
        make_article(title, lane=news)
    make_article("old design", lane=design)
    make_article("the lead", lane=design)
    assert re.findall(r"<h[23]>?[^>]*>(?:<a[^>]*>)([^<]+)", _page(client, "/")) == [
        "the lead",
        "Design",
        "old design",
        "News",
        "newer news",
        "old news",
    ]


def test_home_pages_go_on_where_the_last_one_ended(client: Client) -> None:
    news = make_lane("news")
    made = [make_article(f"article number {n:02}", lane=news) for n in range(7)]
    first, second = _page(client, "/"), _page(client, "/?page=2")
    assert [a.slug in first for a in made] == [False, False, True, True, True, True, True]
    assert [a.slug in second for a in made] == [True, True, False, False, False, False, False]
    assert 'href="?page=2"' in first
    assert "Older" not in second
    assert client.get("/?page=3").status_code == 404


def test_lane_lists_only_its_own_and_pages_of_twenty(client: Client) -> None:
    news, design = make_lane("news"), make_lane("design")
    made = [make_article(lane=news) for _ in range(21)]
    other = make_article("elsewhere", lane=design)
    first, second = _page(client, "/lanes/news/"), _page(client, "/lanes/news/?page=2")
    assert sum(f"/{a.slug}/" in first for a in made) == 20
    assert [a for a in made if f"/{a.slug}/" in second] == made[:1]
    assert other.slug not in first + second
    assert 'rel="canonical" href="https://standing.example/lanes/news/?page=2"' in second


@pytest.mark.parametrize("page", ["0", "-1", "x", "1e3", "99999", "٣", ""])
def test_a_page_number_that_is_none_is_not_found(client: Client, page: str) -> None:
    assert client.get("/", {"page": page}).status_code == 404


def test_an_article_shows_text_sources_byline_and_provenance(client: Client) -> None:
    paid = {"author": "anthropic", "model": "claude-x", "bundle": 3, "cost_micros": 31_201}
    article = make_article("Ink & <paper>", cover=COVER, written_by=paid, sources=2)
    page = _page(client, article.get_absolute_url())
    small, wide = (default_storage.url(f"covers/{size}.webp") for size in ("small", "wide"))
    for expected in (
        "<h1>Ink &amp; &lt;paper&gt;</h1>",
        "Written by Claude (claude-x)",
        "$0.04",
        f'<img src="{wide}" srcset="{small} 600w, {wide} 1200w"',
        'width="1200" height="630" alt="Cover: &quot;quoted&quot; &amp; plain"',
        '<li id="source-s1">',
        '<li id="source-s2">',
        'href="#source-s1"',
        "fetched <time",
        f"<code>{article.brief.brief_id}</code>",
        "News, bundle 3",
        "2 min</span>",
        f'<link rel="canonical" href="https://standing.example/{article.slug}/">',
    ):
        assert expected in page


def test_an_offline_article_says_that_no_model_wrote_it(client: Client) -> None:
    page = _page(client, make_article().get_absolute_url())
    assert "Composed offline from its sources, without a language model" in page
    assert "Claude" not in page
    assert "$" not in page


def test_json_ld_cannot_end_its_script_element(client: Client) -> None:
    title = "</script><script>alert(1)</script>"
    page = _page(client, make_article(title, cover=COVER).get_absolute_url())
    (block,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    described = json.loads(block)
    assert page.count("<script") == 1
    assert described["headline"] == title
    assert described["image"]["url"].startswith("https://standing.example/")
    assert described["citation"][0]["url"] == "https://example.org/1"


def test_a_source_address_that_is_no_web_page_is_no_link(client: Client) -> None:
    article = make_article()
    article.revision.sources.update(final_url="javascript:alert(1)")  # type: ignore[union-attr]
    page = _page(client, article.get_absolute_url())
    assert 'href="javascript' not in page


def test_the_next_one_is_the_next_older_of_the_lane_and_after_the_oldest_the_newest(
    client: Client,
) -> None:
    oldest, _, newest = (make_article(f"title {n}") for n in "abc")
    make_article("of another lane", lane=make_lane("design"))
    assert re.findall(r'rel="next">([^<]+)', _page(client, f"/{newest.slug}/")) == ["title b"]
    assert re.findall(r'rel="next">([^<]+)', _page(client, f"/{oldest.slug}/")) == ["title c"]


def test_a_draft_is_nowhere(client: Client) -> None:
    draft = make_article("secret headline", status="draft", indexed=True)
    make_article("live headline", indexed=True)
    assert client.get(draft.get_absolute_url()).status_code == 404
    for path in ("/", "/lanes/news/", "/feed.atom", "/lanes/news/feed.atom", "/sitemap.xml"):
        assert draft.slug not in _page(client, path)
    assert draft.slug not in _page(client, "/search/?q=secret+headline")


def test_a_withdrawn_article_is_gone_and_listed_nowhere(client: Client) -> None:
    article = make_article(indexed=True)
    Article.objects.update(status="withdrawn")
    answer = client.get(article.get_absolute_url())
    assert answer.status_code == 410
    assert "What it says." not in answer.content.decode()
    for path in ("/", "/lanes/news/", "/feed.atom", "/sitemap.xml", "/search/?q=title"):
        assert article.slug not in _page(client, path)


def test_what_does_not_exist_is_answered_by_the_sites_own_page(client: Client) -> None:
    for path in ("/nothing/", "/lanes/none/", "/lanes/none/feed.atom", "/Capital/"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "No article has this address" in answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/lanes/news/", "/{slug}/", "/search/?q=title"])
def test_a_page_costs_the_same_queries_for_three_articles_and_for_thirty(
    client: Client, path: str, django_assert_num_queries: Any
) -> None:
    expected = {"/": 4, "/lanes/news/": 3, "/{slug}/": 4, "/search/?q=title": 3}[path]
    made = [make_article(indexed=True) for _ in range(3)]
    with django_assert_num_queries(expected):
        _page(client, path.format(slug=made[-1].slug))
    for number in range(27):
        make_article(lane=make_lane(f"lane-{number % 5}"), indexed=True, sources=5)
    with django_assert_num_queries(expected):
        _page(client, path.format(slug=made[-1].slug))


def test_pages_answer_head_and_conditional_get_and_set_no_cookie(client: Client) -> None:
    article = make_article()
    for path in ("/", "/lanes/news/", article.get_absolute_url(), "/feed.atom", "/lanes.css"):
        answer = client.get(path)
        again = client.get(path, headers={"if-none-match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert client.head(path).status_code == 200
        assert client.post(path).status_code == 405
        assert not answer.cookies
        assert "Cookie" not in answer.headers.get("Vary", "")


def test_a_new_revision_changes_the_validator(client: Client) -> None:
    article = make_article()
    tag = client.get(article.get_absolute_url()).headers["ETag"]
    add_revision(article, "A new title", "s", "New text.")
    answer = client.get(article.get_absolute_url(), headers={"if-none-match": tag})
    assert answer.status_code == 200
    assert "A new title" in answer.content.decode()


def test_atom_names_whole_addresses_dates_and_authors(client: Client) -> None:
    article = make_article("Ink & paper", summary="1 < 2", cover=COVER)
    feed = _parsed(_page(client, "/lanes/news/feed.atom"))
    url = f"https://standing.example/{article.slug}/"
    (entry,) = feed.findall(f"{ATOM}entry")
    assert feed.find(f"{ATOM}link[@rel='self']").get("href") == (  # type: ignore[union-attr]
        "https://standing.example/lanes/news/feed.atom"
    )
    assert entry.findtext(f"{ATOM}title") == "Ink & paper"
    assert entry.findtext(f"{ATOM}summary") == "1 &lt; 2"
    assert entry.findtext(f"{ATOM}id") == url
    assert entry.findtext(f"{ATOM}published") == article.published_at.isoformat()  # type: ignore[union-attr]
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == "Offline author"
    enclosure = entry.find(f"{ATOM}link[@rel='enclosure']")
    assert enclosure is not None
    assert (enclosure.get("type"), enclosure.get("length")) == ("image/webp", "9000")


def test_the_sitemap_names_home_lanes_and_articles_with_their_date_of_change(
    client: Client,
) -> None:
    article = make_article()
    urls = _parsed(_page(client, "/sitemap.xml")).findall(f"{MAP}url")
    assert [(url.findtext(f"{MAP}loc"), url.findtext(f"{MAP}lastmod")) for url in urls] == [
        ("https://standing.example/", None),
        ("https://standing.example/lanes/news/", None),
        (f"https://standing.example/{article.slug}/", f"{article.modified_at:%Y-%m-%d}"),
    ]


def test_a_large_sitemap_becomes_an_index_whose_parts_hold_every_article_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemaps, "URLS_A_FILE", 2)
    made = [make_article() for _ in range(5)]
    index = _parsed(_page(client, "/sitemap.xml"))
    parts = [each.text for each in index.iter(f"{MAP}loc")]
    assert parts == [f"https://standing.example/sitemap.xml?p={n}" for n in (1, 2, 3)]
    found = [_page(client, f"/sitemap.xml?p={n}") for n in (1, 2, 3)]
    assert [sum(f"/{a.slug}/" in part for part in found) for a in made] == [1] * 5
    assert client.get("/sitemap.xml?p=4").status_code == 404


def test_robots_are_told_where_not_to_go_and_where_the_sitemap_is(client: Client) -> None:
    lines = _page(client, "/robots.txt").splitlines()
    assert "Disallow: /admin/" in lines
    assert "Disallow: /api/" in lines
    assert "Sitemap: https://standing.example/sitemap.xml" in lines


def test_a_changed_hue_changes_the_lanes_stylesheet_and_its_address(client: Client) -> None:
    lane = make_lane("news", hue=25)
    before = re.findall(r"/lanes\.css\?v=\w+", _page(client, "/"))
    assert _page(client, "/lanes.css") == '[data-lane="news"]{--hue:25}\n'
    lane.hue = 200
    lane.save()
    assert _page(client, "/lanes.css") == '[data-lane="news"]{--hue:200}\n'
    assert re.findall(r"/lanes\.css\?v=\w+", _page(client, "/")) != before


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("A size is a design: optical sizes", "a-size-is-a-design-optical-sizes"),
        ("Côte d\u2019Azur & Straße", "cote-dazur-and-strasse"),
        ("  --  100 %  --  ", "100"),
        ("Search", "search-article"),
        ("x" * 200, "x" * 80),
        ("word " * 40, "-".join(["word"] * 16)),
    ],
)
def test_a_slug_is_derived_from_its_title(title: str, slug: str) -> None:
    assert derive_slug(title) == slug


def test_titles_without_a_latin_letter_get_addresses_of_their_own() -> None:
    derived = {derive_slug(title) for title in ("活字", "印刷", "…", "")}
    assert len(derived) == 4
    assert all(re.fullmatch(r"article-[0-9a-f]{8}", slug) for slug in derived)


def test_every_fixed_path_of_the_site_is_reserved() -> None:
    entries = [*get_resolver().url_patterns, *site_urls.urlpatterns]
    firsts = {str(entry.pattern).strip("^").split("/")[0].split(".")[0] for entry in entries}
    fixed = {first for first in firsts if re.fullmatch(r"[a-z0-9-]+", first)}
    assert fixed >= {"admin", "api", "lanes", "search", "feed", "sitemap", "robots"}
    assert fixed <= RESERVED
    assert all(is_reserved(first) for first in fixed)


def _parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - what this site has written itself


def _page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()
