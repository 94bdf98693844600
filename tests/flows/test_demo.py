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
    ask_demo,
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
def other_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("other")


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


@pytest.mark.parametrize("answer", ["\n", "\x04", "\x03"], ids=["enter", "ctrl-d", "ctrl-c"])
def test_without_a_yes_nothing_is_paid_or_started(other_dir: Path, answer: str) -> None:
    code, printed = ask_demo(other_dir, answer, ANTHROPIC_API_KEY="sk-none")

    assert code == 1, printed
    assert "Publish and pay? [y/N] " in printed
    assert "nothing was posted or paid" in printed
    assert not (other_dir / "workers.log").exists()
    assert processes_of(other_dir) == []


def test_broken_on_purpose_it_repeats_no_finished_step_and_leaves_one_cover_to_retry(
    other_dir: Path,
) -> None:
    broken = run_demo(other_dir, "--break", "--exit")

    assert broken.returncode == 0, broken.stdout
    assert "SIGKILL to" in broken.stdout
    finished = "validate, ground, generate, clean, persist, index"
    assert f"resumed at cover, attempt 2; no finished step ran again: {finished}\n" in broken.stdout
    assert "200 already queued, 0 paid" in broken.stdout
    assert len(article_paths(broken.stdout)) == 7
    assert "business    errored" in broken.stdout
    assert "failed on purpose and is left for you to retry in the admin" in broken.stdout
    assert "S3_ACCESS_KEY_ID" not in broken.stdout
    assert processes_of(other_dir) == []
