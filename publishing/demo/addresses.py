"""What stands at the end of a start: every address, and what to try next."""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from rich.console import Console
from rich.text import Text

from publishing.demo.client import Answer, is_live
from publishing.demo.preparing import ADMIN

NAME_WIDTH = 12


def print_articles(console: Console, answers: Iterable[Answer], *, address: str) -> None:
    """Print where each article can be read, and its instance be looked at in the admin.

    Args:
        address: scheme, host and port of the site; empty for one that is about to end.
    """
    console.print()
    for answer in answers:
        if is_live(answer):
            url = answer["article"]["url"]
            _line(console, answer["lane"], url if address else urlsplit(url).path)
        else:
            _line(console, answer["lane"], f"{answer['status']}: see its page in the admin")
        if address or not is_live(answer):
            _line(console, "", instance_page(address, answer["instance_id"]))


def print_platform(
    console: Console, *, address: str, password: str | None, key: str, reads: str | None = None
) -> None:
    """Print the addresses of site, admin and API, and the secrets of this run.

    Args:
        reads: ID of an instance that the line for the API reads.
    """
    console.print()
    _line(console, "site", f"{address}/")
    _line(console, "admin", f"{address}{reverse('admin:index')}")
    if password is None:
        _line(console, "", "(make yourself a user with manage.py createsuperuser)")
    else:
        _line(console, "", f"user {ADMIN}   password {password}")
    header = f"Authorization: Bearer {key}"
    if reads is None:
        _line(console, "API", f"{address}{reverse('api:publish')}")
        _line(console, "", header)
    else:
        path = reverse("api:instance", args=[reads])
        _line(console, "API", f"curl -H '{header}' {address}{path}")


def print_files(console: Console, logs: Iterable[Path]) -> None:
    """Print where the data and the logs lie."""
    _line(console, "data", str(settings.DATA_DIR))
    for log in logs:
        _line(console, "log", str(log))


def print_next(console: Console, lines: Iterable[str]) -> None:
    """Print what to try next."""
    console.print()
    for number, line in enumerate(lines):
        _line(console, "" if number else "try next", line)
    console.print()


def instance_page(address: str, instance_id: str) -> str:
    """Return the address of an instance's page in the admin."""
    return address + reverse("admin:workflows_instance_change", args=[instance_id])


def _line(console: Console, name: str, value: str) -> None:
    line = Text(name.ljust(NAME_WIDTH), style="dim").append(value, style="not dim")
    console.print(line, soft_wrap=True)
