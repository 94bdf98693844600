"""The main job, run for real: `manage.py demo` in a DATA_DIR of its own."""

import subprocess
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from tests.flows.demonstration import (
    Article,
    article_paths,
    article_urls,
    processes_of,
    read_article,
    run_demo,
    search,
    serving,
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first(data_dir: Path) -> subprocess.CompletedProcess[str]:
    """`demo --exit` in an empty DATA_DIR, at its end."""
    return run_demo(data_dir, "--exit")


@pytest.fixture(scope="module")
def again(data_dir: Path, first: subprocess.CompletedProcess[str]) -> Iterator[str]:
    """What a second `demo` has printed, while it serves."""
    with serving(data_dir, "demo") as (process, printed):
        yield printed
    assert process.returncode == 0
    assert processes_of(data_dir) == []


@pytest.fixture(scope="module")
def articles(again: str) -> list[Article]:
    return [read_article(url) for url in article_urls(again)]


def test_demo_ends_0_with_eight_articles_and_leaves_no_process(
    first: subprocess.CompletedProcess[str], data_dir: Path
) -> None:
    assert first.returncode == 0, first.stdout
    assert first.stdout.count(" 202 queued\n") == 8
    assert "200 already queued, 0 paid" in first.stdout
    assert len(article_paths(first.stdout)) == 8
    assert processes_of(data_dir) == []


def test_what_ends_by_itself_prints_no_address_password_or_traceback(
    first: subprocess.CompletedProcess[str],
) -> None:
    for word in ("http://", "password", "Bearer", "Traceback"):
        assert word not in first.stdout


def test_a_second_demo_publishes_nothing_new_and_pays_nothing(
    first: subprocess.CompletedProcess[str], again: str
) -> None:
    assert again.count(" 200 already queued\n") == 8
    assert "200 already queued, 0 paid" in again
    assert article_paths(again) == article_paths(first.stdout)


def test_a_second_demo_on_the_same_folder_is_refused_while_the_first_serves(
    again: str, data_dir: Path
) -> None:
    refused = run_demo(data_dir, "--exit")

    assert refused.returncode == 1
    assert f"another demo or dev runs on {data_dir}" in refused.stdout


def test_each_article_is_long_cites_all_sources_and_draws_a_directive(
    articles: list[Article],
) -> None:
    for article in articles:
        assert len(article.words) >= 400, article.url
        assert article.sources, article.url
        assert article.cited == article.sources, article.url
        assert article.directives, article.url


def test_no_two_articles_share_a_sentence_of_more_than_8_words(articles: list[Article]) -> None:
    assert len(articles) == 8
    for one, other in combinations(articles, 2):
        shared = one.long_sentences(longer_than=8) & other.long_sentences(longer_than=8)
        assert shared == set(), (one.url, other.url)


def test_search_finds_each_article_by_a_word_of_its_body(
    articles: list[Article], again: str
) -> None:
    spread = Counter(word for article in articles for word in set(article.words))
    for article in articles:
        own = [word for word in article.words if spread[word] == 1 and word.isalpha()]
        word = max(own, key=len)
        site = article.url.rsplit("/", 2)[0]
        assert search(site, word) == [article.url], word
