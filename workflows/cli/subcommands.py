"""The table of subcommands: a name, a line of help, what it takes, what it does."""

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from workflows.cli import acting, ordering, reading, scheduling, showing
from workflows.cli.console import Console

IDS_OR_FILTER = "{ID [ID ...] | filter}"


@dataclass(frozen=True)
class Subcommand:
    """One verb of the command line.

    Attributes:
        takes: what follows it, in a few words; --help says the rest.
        run: takes the options and the console; returns False if something was refused.
    """

    name: str
    help: str
    takes: str
    declare: Callable[[ArgumentParser], None]
    run: Callable[[dict[str, Any], Console], bool]


@dataclass(frozen=True)
class Family:
    """Subcommands under one word."""

    name: str
    help: str
    members: tuple[Subcommand, ...]


def _verb(name: str, means: str) -> Subcommand:
    return Subcommand(
        name, means, IDS_OR_FILTER, acting.declare_verb, partial(acting.run_verb, name)
    )


def _turn(name: str, means: str) -> Subcommand:
    run = partial(scheduling.run_turn, on=name == "on")
    return Subcommand(name, means, "NAME", scheduling.declare_turn, run)


SUBCOMMANDS: Sequence[Subcommand | Family] = (
    Subcommand(
        "list", "instances, newest first", "[filter]", reading.declare_list, reading.run_list
    ),
    Subcommand("show", "all that is kept of one", "ID", showing.declare_show, showing.run_show),
    Subcommand(
        "log",
        "the event log: its last lines, or what follows a cursor",
        "[ID]",
        reading.declare_log,
        reading.run_log,
    ),
    Subcommand("usage", "what each step did", "", reading.declare_usage, reading.run_usage),
    _verb("pause", "let them stand still after the running step"),
    _verb("resume", "let paused ones go on where they stood"),
    _verb("terminate", "end them for good"),
    _verb("retry", "try the failed step again, now; finished steps stay"),
    Subcommand(
        "restart",
        "begin a new generation, whole or from an entry",
        f"{IDS_OR_FILTER} [--from ENTRY]",
        acting.declare_restart,
        acting.run_restart,
    ),
    Subcommand(
        "replace-output",
        "let the remaining steps read another output",
        "ID [ID ...] --entry ENTRY --output JSON",
        acting.declare_replace_output,
        acting.run_replace_output,
    ),
    Subcommand(
        "send-event",
        "send what a wait entry waits for",
        f"{IDS_OR_FILTER} --type TYPE [--payload JSON]",
        acting.declare_send_event,
        acting.run_send_event,
    ),
    Family(
        "bulk",
        "a verb for all that a filter finds, in the background",
        (
            Subcommand(
                "start", "order one", "VERB filter", ordering.declare_start, ordering.run_start
            ),
            Subcommand("list", "how far each is", "", ordering.declare_list, ordering.run_list),
            Subcommand(
                "stop", "stop one on its way", "NUMBER", ordering.declare_stop, ordering.run_stop
            ),
        ),
    ),
    Family(
        "schedules",
        "workflows that start at set times",
        (
            Subcommand("list", "all of them", "", scheduling.declare_list, scheduling.run_list),
            Subcommand(
                "save",
                "make or replace one",
                "NAME --workflow W --cron TIMES --entries JSON",
                scheduling.declare_save,
                scheduling.run_save,
            ),
            _turn("on", "start it at its times again"),
            _turn("off", "start nothing until it is turned on"),
        ),
    ),
)


def add_subcommands(parser: ArgumentParser, subcommands: Sequence[Subcommand | Family]) -> None:
    """Declare them under a parser; the chosen one's function is the option `run`."""
    group = parser.add_subparsers(dest="verb", required=True)
    for each in subcommands:
        under = group.add_parser(each.name, help=each.help, description=_sentence(each.help))
        if isinstance(each, Family):
            add_subcommands(under, each.members)
        else:
            under.usage = " ".join(f"{under.prog} {each.takes} [options]".split())
            each.declare(under)
            under.set_defaults(run=each.run)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
