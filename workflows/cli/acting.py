"""The verbs of `manage.py instances`: for instance IDs at once, for a filter in the background."""

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.management.base import CommandError
from django.db.models import QuerySet

from workflows import verbs
from workflows.bulk import BulkVerb
from workflows.cli.arguments import (
    add_filter,
    add_json,
    add_signature,
    has_filter,
    json_value,
    read_ids,
)
from workflows.cli.console import Console
from workflows.cli.forecasting import Forecast
from workflows.cli.ordering import add_yes, instances, order_bulk
from workflows.errors import UnknownInstanceError, WorkflowError, plain
from workflows.events import send_event
from workflows.models import Instance

Apply = Callable[[str], bool]


@dataclass(frozen=True)
class Result:
    """What became of one ID.

    Attributes:
        result: done, unchanged (it was so already) or refused.
        detail: why it was refused or unchanged.
    """

    instance_id: str
    result: str
    detail: str = ""


def declare_verb(parser: ArgumentParser) -> None:
    """Declare a verb that takes instance IDs or a filter."""
    parser.add_argument("ids", nargs="*", type=plain, metavar="ID", help="whole, or latest")
    add_filter(parser)
    add_yes(parser)
    add_signature(parser)
    add_json(parser)


def run_verb(name: str, options: dict[str, Any], console: Console) -> bool:
    """Run pause, resume, retry or terminate."""
    if not options["ids"]:
        return order_bulk(BulkVerb(name), options, console)
    call = {
        "pause": verbs.pause,
        "resume": verbs.resume,
        "retry": verbs.retry,
        "terminate": verbs.terminate,
    }[name]
    ids = _chosen(options)
    forecast = _agree(name, ids, options, console)
    return _apply(ids, partial(call, **_signed(options)), console, forecast=forecast)


def declare_restart(parser: ArgumentParser) -> None:
    """Declare `instances restart`."""
    declare_verb(parser)
    parser.add_argument("--from", dest="first", type=plain, metavar="ENTRY", help="default: whole")
    parser.add_argument(
        "--generation", type=int, help="the one you have seen; default that of this moment"
    )


def run_restart(options: dict[str, Any], console: Console) -> bool:
    """Restart, each from the generation that was read when the command started."""
    if not options["ids"]:
        _refuse(options, "generation", "a filter's instances restart from whatever they are in")
        return order_bulk(BulkVerb("restart", entry=options["first"]), options, console)
    ids = _chosen(options)
    forecast = _agree("restart", ids, options, console, entry=options["first"])
    seen = dict(
        Instance.objects.filter(instance_id__in=ids).values_list("instance_id", "generation")
    )

    def restart(instance_id: str) -> bool:
        if instance_id not in seen:
            raise UnknownInstanceError(instance_id)
        generation = seen[instance_id] if options["generation"] is None else options["generation"]
        return verbs.restart(
            instance_id, generation=generation, entry=options["first"], **_signed(options)
        )

    return _apply(ids, restart, console, forecast=forecast)


def declare_replace_output(parser: ArgumentParser) -> None:
    """Declare `instances replace-output`."""
    parser.add_argument("ids", nargs="+", type=plain, metavar="ID", help="whole, or latest")
    parser.add_argument("--entry", type=plain, required=True, help="whose output it is")
    _add_json_input(parser, "--output", "what the remaining steps read", required=True)
    add_yes(parser)
    add_signature(parser)
    add_json(parser)


def run_replace_output(options: dict[str, Any], console: Console) -> bool:
    """Let the remaining steps read another output."""

    def replace(instance_id: str) -> bool:
        return verbs.replace_output(
            instance_id, options["entry"], options["output"], **_signed(options)
        )

    ids = read_ids(options["ids"])
    forecast = _agree("replace-output", ids, options, console)
    return _apply(ids, replace, console, forecast=forecast)


def declare_send_event(parser: ArgumentParser) -> None:
    """Declare `instances send-event`."""
    declare_verb(parser)
    parser.add_argument("--type", type=plain, required=True, help="what the wait entry names")
    _add_json_input(parser, "--payload", "what the wait hands on; default null")
    parser.add_argument("--key", type=plain, help="your name for it: sent twice, it is sent once")
    parser.add_argument("--generation", type=int, help="the one you have seen; default the present")


def run_send_event(options: dict[str, Any], console: Console) -> bool:
    """Send an event."""
    if not options["ids"]:
        _refuse(options, "generation", "a filter's instances take it in whatever they are in")
        _refuse(options, "key", "a bulk operation sends each its event once by itself")
        verb = BulkVerb("send-event", event=options["type"], payload=options["payload"])
        return order_bulk(verb, options, console)

    def send(instance_id: str) -> bool:
        return send_event(
            instance_id,
            options["type"],
            options["payload"],
            sender=options["actor"],
            key=options["key"],
            generation=options["generation"],
            why=options["why"],
        )

    ids = _chosen(options)
    forecast = console.foretell("send-event", None, _found(ids))  # what waits was meant to go on
    already = "an event with this key was sent before"
    return _apply(ids, send, console, forecast=forecast, already=already)


def _agree(
    verb: str,
    ids: Sequence[str],
    options: dict[str, Any],
    console: Console,
    *,
    entry: str | None = None,
) -> Forecast | None:
    """Say what the verb may cost and ask, where it may cost anything.

    Raises:
        CommandError: the answer was no, or nobody could be asked; nothing changed.
    """
    forecast = console.foretell(verb, entry, _found(ids))
    if forecast is None:
        return None
    if not console.confirm(f"{verb} {instances(len(ids))}?", yes=options["yes"]):
        raise CommandError("not confirmed; nothing changed")
    return forecast


def _found(ids: Sequence[str]) -> QuerySet[Instance]:
    return Instance.objects.filter(instance_id__in=ids)


def _chosen(options: dict[str, Any]) -> list[str]:
    if has_filter(options):
        raise CommandError("say instance IDs or a filter, not both; nothing changed")
    return read_ids(options["ids"])


def _signed(options: dict[str, Any]) -> dict[str, str]:
    return {"actor": options["actor"], "why": options["why"]}


def _refuse(options: dict[str, Any], name: str, reason: str) -> None:
    if options[name] is not None:
        raise CommandError(f"--{name} goes with instance IDs: {reason}; nothing changed")


def _add_json_input(
    parser: ArgumentParser, name: str, means: str, *, required: bool = False
) -> None:
    parser.add_argument(
        name,
        type=json_value,
        required=required,
        metavar="JSON",
        help=f"{means}: JSON, @FILE, or - for stdin",
    )


def _apply(
    ids: Sequence[str],
    apply: Apply,
    console: Console,
    *,
    forecast: Forecast | None = None,
    already: str = "it was so already",
) -> bool:
    """Apply to each, whatever becomes of the others; return whether none was refused."""
    results = [_try(instance_id, apply, already) for instance_id in ids]
    if console.as_json:
        told = {"forecast": forecast.fields} if forecast else {}
        console.document({"results": [vars(each) for each in results]} | told)
    else:
        for each in results:
            _print(each, console)
    return all(each.result != "refused" for each in results)


def _try(instance_id: str, apply: Apply, already: str) -> Result:
    try:
        changed = apply(instance_id)
    except WorkflowError as error:
        return Result(instance_id, "refused", " ".join(str(error).split()))
    return Result(instance_id, "done") if changed else Result(instance_id, "unchanged", already)


def _print(each: Result, console: Console) -> None:
    # Most refusals name the ID themselves.
    parts = [each.instance_id] * (each.instance_id not in each.detail) + [each.detail]
    line = f"{each.result:<9}  {': '.join(part for part in parts if part)}"
    if each.result == "refused":
        console.note(line)
    else:
        console.line(line)
