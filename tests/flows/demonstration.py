"""`manage.py demo` as a newcomer runs it, and its articles as readers see them."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlencode

import httpx2
from lxml import html

from tests.flows.processes import MANAGE, ROOT

# What the tests' own environment says is not for the demo: it has a server and settings of its own.
OURS = {"DATABASE_URL", "DJANGO_SETTINGS_MODULE", "SECRET_KEY", "SITE_URL", "ANTHROPIC_API_KEY"}
WITHIN_SECONDS = 120
# Makes the terminal on stdin the controlling one, so that typing ^C there sends SIGINT.
_IN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " os.execv(sys.argv[1], sys.argv[1:])"
)


@dataclass(frozen=True)
class Article:
    """One article's page.

    Attributes:
        text: what stands in the body, without citation marks.
        blocks: the body's paragraphs, list items and cells, each as one string.
        sources: ids of the numbered sources below it.
        cited: ids that the body's citations link to.
        directives: classes of the drawn directives that are blocks.
    """

    url: str
    text: str
    blocks: list[str]
    sources: set[str]
    cited: set[str]
    directives: list[str]

    @property
    def words(self) -> list[str]:
        return re.findall(r"\w+", self.text.lower())

    def long_sentences(self, *, longer_than: int) -> set[str]:
        """Return the sentences with more words than that, as their words alone."""
        told = [
            re.findall(r"\w+", sentence.lower())
            for block in self.blocks
            for sentence in re.split(r"(?<=[.!?])\W*\s+", block)
        ]
        return {" ".join(words) for words in told if len(words) > longer_than}


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """Return the environment of a newcomer who works in this DATA_DIR."""
    plain = {name: value for name, value in os.environ.items() if name not in OURS}
    return plain | {"DATA_DIR": str(data_dir)} | more


def run_demo(data_dir: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end; what it prints, errors too, is in `stdout`."""
    return subprocess.run(
        [*MANAGE, "demo", *arguments],
        env=environment(data_dir, **more),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN_SECONDS,
        check=False,
    )


def ask_demo(data_dir: Path, answer: str, **more: str) -> tuple[int, str]:
    """Run the demo in a terminal, type the answer to its question; return exit code and output.

    The answer is typed again while nothing happens: a program that has printed its question may
    not yet be reading, and Ctrl-C is lost on it then.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _IN_TERMINAL, *MANAGE, "demo"],
        env=environment(data_dir, TERM="xterm", **more),
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    printed = b""
    with os.fdopen(ours, "r+b", buffering=0) as terminal, process:
        while chunk := _read(terminal):
            printed += chunk
            if b"[y/N]" in chunk:
                terminal.write(answer.encode())
            while b"[y/N]" in printed and not _has_more(terminal):
                terminal.write(answer.encode())
    return process.returncode, printed.decode()


@contextmanager
def serving(data_dir: Path, command: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `demo` or `dev` until it serves; yield process and output, then send Ctrl-C."""
    process = subprocess.Popen(
        [*MANAGE, command],
        env=environment(data_dir),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    printed = ""
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            printed += line
            if line.startswith("Serving"):
                break
        try:
            yield process, printed
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.read()  # to its end: a closed pipe would be an error of its own


def processes_of(data_dir: Path) -> list[str]:
    """Return the command lines of all living processes that work in the DATA_DIR."""
    mark = os.fsencode(f"DATA_DIR={data_dir}")
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if mark in variables or os.fsencode(data_dir) in command:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def article_paths(printed: str) -> list[str]:
    """Return the paths of the articles, as they stand in the demo's list."""
    return re.findall(
        r"^(?!admin )[a-z]+ +(?:http://127\.0\.0\.1:\d+)?(/[a-z0-9-]+/)$", printed, re.MULTILINE
    )


def article_urls(printed: str) -> list[str]:
    """Return the addresses of the articles, as they stand in a serving demo's list."""
    return re.findall(
        r"^(?!admin )[a-z]+ +(http://127\.0\.0\.1:\d+/[a-z0-9-]+/)$", printed, re.MULTILINE
    )


def read_article(url: str) -> Article:
    """Read an article's page."""
    page = html.fromstring(_get(url))
    (body,) = page.xpath("//div[@class='text']")
    cited = {link.get("href").removeprefix("#source-") for link in body.xpath(".//sup//a")}
    for mark in body.xpath(".//sup[@class='cite']"):
        mark.drop_tree()
    return Article(
        url=url,
        text=body.text_content(),
        blocks=[block.text_content() for block in body.xpath(".//p|.//li|.//td")],
        sources={item.get("id").removeprefix("source-") for item in page.xpath("//ol/li[@id]")},
        cited=cited,
        directives=body.xpath(".//aside/@class|.//figure/@class|.//div[@class='source']/@class"),
    )


def search(site: str, word: str) -> list[str]:
    """Return the addresses of the articles that the site's search finds."""
    page = html.fromstring(_get(f"{site}/search/?{urlencode({'q': word})}"))
    return [site + path for path in page.xpath("//ol//h2/a/@href")]


def _has_more(terminal: IO[bytes]) -> bool:
    """Whether there is something to read, or comes within ten seconds."""
    return bool(select.select([terminal], [], [], 10)[0])


def _read(terminal: IO[bytes]) -> bytes:
    """Read what was printed; nothing once the last program has closed the terminal."""
    try:
        return terminal.read(4096)
    except OSError:
        return b""


def _get(url: str) -> str:
    response = httpx2.get(url, trust_env=False)
    assert response.status_code == 200, url
    return response.text
