"""Arguments that several subcommands take, and what a person may type for them."""

import getpass
import json
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from workflows.errors import plain
from workflows.listing import Filter, latest_instance_id
from workflows.models import Reason, Status, Trigger

ACTOR_CHARACTERS_MAX = 150
LATEST = "latest"
FILTERS = (
    "status", "reason", "workflow", "partition", "trigger", "entry", "error",
    "created_after", "created_before", "finished_after", "finished_before",
)  # fmt: skip
_MANY = ("status", "reason", "trigger")
_AGO = re.compile(r"([0-9]{1,4})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def add_json(parser: ArgumentParser) -> None:
    """Declare the form of the output."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def add_paging(
    parser: ArgumentParser, *, cursor: type[int] | type[str], limit: int, or_else: str = ""
) -> None:
    """Declare a page's begin and length.

    Args:
        cursor: its type.
        limit: what is meant when none is said.
        or_else: what a cursor may be besides.
    """
    means = f"what the page before gave{or_else}"
    parser.add_argument("--after", type=cursor, metavar="CURSOR", help=means)
    parser.add_argument(
        "--limit", type=int, default=limit, help=f"most lines; default {limit}, at most 1000"
    )


def add_filter(parser: ArgumentParser) -> None:
    """Declare the filter of a list or a bulk operation."""
    group = parser.add_argument_group(
        "filter",
        "Words may be joined by commas. A moment is ISO 8601 with its zone (2026-11-23T08:00Z), "
        "or so long ago: 90s, 15m, 8h, 3d, 2w.",
    )
    group.add_argument("--status", type=words, help=", ".join(each.label for each in Status))
    group.add_argument("--reason", type=words, help=f"of a wait: {', '.join(Reason.values)}")
    group.add_argument("--workflow", type=plain, help="such as publish")
    group.add_argument("--partition", "--lane", type=plain, help="for publish the lane")
    group.add_argument("--trigger", type=words, help=", ".join(Trigger.values))
    group.add_argument("--entry", type=plain, help="the graph entry that it stands at")
    group.add_argument("--error", type=plain, help="the error's type, such as NonRetryableError")
    for name in ("created", "finished"):
        for side in ("after", "before"):
            group.add_argument(f"--{name}-{side}", type=past, metavar="MOMENT")


def add_signature(parser: ArgumentParser) -> None:
    """Declare who acts and why; both are kept in the event log."""
    parser.add_argument("--why", type=plain, default="", help="kept in the event log")
    parser.add_argument(
        "--actor", type=actor, default=actor_of_shell(), help="kept too; default %(default)s"
    )


def read_filter(options: Mapping[str, Any]) -> Filter:
    """Return the filter that was typed.

    Raises:
        FilterError: a word is not allowed.
    """
    return Filter.parse(**{name: options[name] for name in FILTERS})


def has_filter(options: Mapping[str, Any]) -> bool:
    """Whether anything narrows."""
    return any(options[name] for name in FILTERS)


def read_ids(given: Sequence[str]) -> list[str]:
    """Return the instance IDs in the order given, each once.

    `latest` stands for the newest instance, `latest:publish` for the newest of a workflow.

    Raises:
        CommandError: there is none.
    """
    return list(dict.fromkeys(_looked_up(each) for each in given))


def _looked_up(given: str) -> str:
    word, _, workflow = given.partition(":")
    if word != LATEST:
        return given
    newest = latest_instance_id(workflow or None)
    if newest is None:
        raise CommandError(f"{given}: there is no such instance yet")
    return newest


def words(text: str) -> tuple[str, ...]:
    """Return the words between commas."""
    return tuple(word for word in (each.strip() for each in plain(text).split(",")) if word)


def past(text: str) -> datetime:
    """Return the moment of `2026-11-23T08:00Z`, or of `8h` ago."""
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is no moment: say 2026-11-23T08:00Z, or 90s, 15m, 8h, 3d, 2w ago"
        ) from None
    if at.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} says no zone; end it in Z for UTC")
    return at


def json_value(text: str) -> Any:
    """Return the JSON of the text, of the file `@PATH`, or of stdin for `-`."""
    try:
        return json.loads(_source(text))
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentTypeError(f"{text} cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ArgumentTypeError(f"that is no JSON: {error}; a string needs its quotes") from None


def actor(text: str) -> str:
    """Return the name, if the event log has a place for it."""
    if not 0 < len(text) <= ACTOR_CHARACTERS_MAX:
        raise ArgumentTypeError(f"an actor has 1 to {ACTOR_CHARACTERS_MAX} characters")
    return plain(text)


def actor_of_shell() -> str:
    """Return who runs this: the user of the operating system."""
    try:
        return f"command:{getpass.getuser()}"
    except (KeyError, OSError):  # no such user in a container; OSError from Python 3.13 on
        return "command"


def _source(text: str) -> str:
    if text == "-":
        return sys.stdin.read()
    return Path(text[1:]).read_text() if text.startswith("@") else text
