"""`instances regenerate` and `instances use-paid-answer`: verbs about what was paid."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from publishing.cli.costs import dollars, spend_fields
from publishing.paid_answers import PaidAnswer, find_paid_answer, use_paid_answer
from publishing.regeneration import RegenerationEstimate, estimate_regeneration, regenerate
from workflows import verbs
from workflows.cli.arguments import add_json, add_signature, read_ids
from workflows.cli.console import Console
from workflows.cli.ordering import add_yes
from workflows.cli.subcommands import Subcommand
from workflows.errors import VerbRefusedError, plain

_HASH_SHOWN = 12  # characters: enough to tell two requests apart


def declare_regenerate(parser: ArgumentParser) -> None:
    """Declare `instances regenerate`."""
    parser.add_argument("id", type=plain, metavar="ID", help="whole, or latest")
    parser.add_argument(
        "--from", dest="first", type=plain, metavar="ENTRY", required=True,
        help="the first entry that runs, and pays, again",
    )  # fmt: skip
    parser.add_argument(
        "--bundle", choices=["same", "current"], default="same",
        help="as it was last written under (default), or the lane's own now",
    )  # fmt: skip
    add_yes(parser)
    add_signature(parser)
    add_json(parser)


def run_regenerate(options: dict[str, Any], console: Console) -> bool:
    """Show what it may cost, ask, and pay again from the entry on."""
    (instance_id,) = read_ids([options["id"]])
    generation = verbs.get_instance(instance_id).generation
    estimate = estimate_regeneration(instance_id, options["first"])
    console.note(_cost_words(estimate))
    question = f"regenerate {instance_id} from {options['first']} on?"
    if not estimate.is_too_dear and not console.confirm(question, yes=options["yes"]):
        raise CommandError("not confirmed; nothing was paid or changed")
    made = regenerate(
        instance_id,
        options["first"],
        actor=options["actor"],
        why=options["why"],
        bundle=options["bundle"],
        generation=generation,
    )
    told = spend_fields(estimate.spend) | {"left_micros": estimate.left_micros}
    if console.as_json:
        console.document({"instance_id": instance_id, "regeneration": made.number} | told)
    else:
        console.line(f"done       {instance_id}: pays again from {options['first']} on")
    return True


def declare_use_paid_answer(parser: ArgumentParser) -> None:
    """Declare `instances use-paid-answer`."""
    parser.add_argument("id", type=plain, metavar="ID", help="whole, or latest")
    add_yes(parser)
    add_signature(parser)
    add_json(parser)


def run_use_paid_answer(options: dict[str, Any], console: Console) -> bool:
    """Show what was paid for and for which request, ask, and use it."""
    (instance_id,) = read_ids([options["id"]])
    paid = find_paid_answer(verbs.get_instance(instance_id))
    if paid is None:
        raise VerbRefusedError(
            f"use-paid-answer: {instance_id} does not wait with an answer that was paid for "
            "another request; nothing changed"
        )
    console.note(_answer_words(paid))
    if not console.confirm(f"use it for {instance_id}?", yes=options["yes"]):
        raise CommandError("not confirmed; nothing changed")
    use_paid_answer(
        instance_id,
        actor=options["actor"],
        why=options["why"],
        request_hash=paid.request_hash,
    )
    if console.as_json:
        console.document({"instance_id": instance_id} | _answer_fields(paid))
    else:
        console.line(f"done       {instance_id}: goes on with the answer of call {paid.call.pk}")
    return True


SUBCOMMANDS = (
    Subcommand(
        "regenerate",
        "pay again from an entry on, within the brief's cap",
        "ID --from ENTRY --why REASON",
        declare_regenerate,
        run_regenerate,
    ),
    Subcommand(
        "use-paid-answer",
        "use what was paid for, although the request has changed",
        "ID",
        declare_use_paid_answer,
        run_use_paid_answer,
    ),
)


def _cost_words(estimate: RegenerationEstimate) -> str:
    entries = ", ".join(
        f"{each.entry} {dollars(each.expected_micros)} (at most {dollars(each.worst_micros)})"
        for each in estimate.spend.entries
    )
    return (
        f"Pays again: {entries or 'for nothing'}. Expected {dollars(estimate.expected_micros)}, "
        f"at most {dollars(estimate.worst_micros)}; the brief's cap has "
        f"{dollars(estimate.left_micros)} left."
    )


def _answer_words(paid: PaidAnswer) -> str:
    was, now = paid.call.request_hash[:_HASH_SHOWN], paid.request_hash[:_HASH_SHOWN]
    return (
        f"Call {paid.call.pk} ({paid.call.key}, {paid.call.model}) was paid "
        f"{dollars(paid.call.cost_micros or 0)} for request {was}; the step would now send {now}. "
        "Using its answer pays nothing."
    )


def _answer_fields(paid: PaidAnswer) -> dict[str, Any]:
    return {
        "call": paid.call.pk,
        "key": paid.call.key,
        "paid_micros": paid.call.cost_micros,
        "paid_for_request": paid.call.request_hash,
        "used_for_request": paid.request_hash,
    }
