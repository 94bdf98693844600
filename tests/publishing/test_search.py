"""Search: words and spellings, live articles only, and snippets that cannot be markup."""

import pytest

from publishing.models import Article, Chunk
from publishing.search import MOST_RESULTS, search
from tests.publishing.articles import make_article

pytestmark = pytest.mark.django_db


def _titles(query: str) -> list[str]:
    return [str(found.article) for found in search(query)]


def test_an_article_is_found_by_its_words_in_any_form() -> None:
    make_article("Casting type", body="The founders cast their matrices in brass.", indexed=True)
    make_article("Leap seconds", body="Clocks stop.", indexed=True)
    assert _titles("matrix founder") == ["Casting type"]
    assert _titles("clock") == ["Leap seconds"]


def test_a_misspelt_query_finds_what_is_near() -> None:
    make_article("Typography", summary="On typography.", body="Typographers.", indexed=True)
    make_article("Leap seconds", body="Clocks stop.", indexed=True)
    assert _titles("typograhpy typographe") == ["Typography"]


def test_what_matches_words_and_nearness_stands_before_what_matches_one() -> None:
    make_article("Brass", summary="s", body="Rules of brass, brass and brass.", indexed=True)
    make_article("Gazette", summary="Ink, paper, press, and brass.", body="More.", indexed=True)
    assert _titles("brass rules")[0] == "Brass"


def test_nothing_is_found_for_what_no_article_is_about() -> None:
    make_article("Leap seconds", body="Clocks stop at midnight.", indexed=True)
    assert search("photosynthesis in algae") == []


@pytest.mark.parametrize(
    "typed",
    ["-" * 33, "- " * 33, "(-" * 100, "a" + "(-" * 90, '"' + "- " * 60 + '"', '-"' * 90, "!" * 99,
     "a" + "&" * 99, "or " * 60, "a or " * 40, "-a " * 60, "''':*\\", "\ud800", "\x00"],
)  # fmt: skip
def test_whatever_is_typed_nothing_is_raised(typed: str) -> None:
    make_article("Leap seconds", body="Clocks stop.", indexed=True)
    assert search(typed) == []


def test_operators_around_words_hide_no_article() -> None:
    make_article("Leap seconds", body="Clocks stop at midnight.", indexed=True)
    assert _titles("(clocks) & 'midnight'! --stop") == ["Leap seconds"]


def test_quotes_and_minus_are_meant_to_the_letter() -> None:
    make_article("One", body="The leap second was a vote.", indexed=True)
    make_article("Two", body="The leap second is a clock.", indexed=True)
    make_article("Three", body="A second leap of faith.", indexed=True)
    assert _titles('"leap second" -vote') == ["Two"]


def test_only_live_articles_are_found() -> None:
    for status in ("draft", "withdrawn"):
        make_article(f"Brass {status}", status=status, indexed=True)
    assert search("brass") == []
    Article.objects.filter(status="draft").update(status="live")
    assert _titles("brass") == ["Brass draft"]


def test_an_article_is_found_once_however_many_of_its_chunks_match() -> None:
    body = "\n\n".join(f"## Brass {n}\n\nBrass again." for n in range(6))
    make_article("Brass", body=body, indexed=True)
    assert _titles("brass") == ["Brass"]


def test_vectors_of_another_embedder_are_not_compared() -> None:
    make_article("Typography", summary="On typography.", body="Typographers.", indexed=True)
    Chunk.objects.update(embedder="other")
    assert _titles("typograhpy typographe") == []
    assert _titles("typography") == ["Typography"]


def test_a_snippet_marks_the_words_and_escapes_everything_else() -> None:
    body = "Brass `<script>alert(1)</script>` & brass \x02 \x03 rules."
    make_article("One", summary="s", body=body, indexed=True)
    (found,) = search("brass")
    assert "<mark>Brass</mark>" in found.snippet
    assert "<script" not in found.snippet
    assert found.snippet.count("<mark>") == found.snippet.count("</mark>") == 2
    assert "\x02" not in found.snippet


@pytest.mark.parametrize(
    "query", ["", "   ", "\x00", "\x02\x03", "the", "-", '"', "a & ! | ( :*", "'", "%", "x" * 5000]
)
def test_whatever_is_typed_is_answered(query: str) -> None:
    make_article("Leap seconds", indexed=True)
    assert search(query) == []


def test_at_most_twenty_are_returned() -> None:
    for _ in range(MOST_RESULTS + 1):
        make_article("Brass rules", indexed=True)
    assert len(search("brass rules")) == MOST_RESULTS
