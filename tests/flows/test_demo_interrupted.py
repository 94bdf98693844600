"""The main job where it does not go smoothly: nobody agrees to pay, and workers are killed."""

from pathlib import Path

import pytest

from tests.flows.demonstration import article_paths, ask_demo, processes_of, run_demo


@pytest.fixture(scope="module")
def other_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("other")


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
