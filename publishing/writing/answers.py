"""Paid answers read as contracts; one that cannot be read is shown, and never paid for again."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from publishing.ledger import Answer
from workflows.contracts import Contract
from workflows.errors import NonRetryableError

_EXCERPT = 2_000  # characters of an unreadable answer in the error's data

Read = TypeVar("Read", bound=Contract)


def read_answer(
    answer: Answer,
    contract: type[Read],
    *,
    what: str,
    known: Mapping[str, Contract] | None = None,
) -> Read:
    """Return a text call's answer as the contract whose schema the model was given.

    Args:
        answer: as the ledger has it; its cost is booked.
        contract: validated whole, also in what the schema could not say.
        what: was asked for, in a word for operators.
        known: fields that the model was not asked for.

    Raises:
        NonRetryableError: refused, cut off or unreadable.
    """
    text = _text_of(answer.body)
    stopped = answer.body.get("stop_reason")
    if stopped == "refusal":
        raise _unusable(f"the model refused to write this {what}", answer, text)
    if stopped == "max_tokens":
        raise _unusable(f"the {what} was cut off at max_tokens; allow more", answer, text)
    if stopped not in ("end_turn", "stop_sequence"):
        raise _unusable(f"the model stopped with {stopped!r}", answer, text)
    try:
        said = json.loads(text)
        return contract.model_validate(
            {**said, **(known or {})} if isinstance(said, dict) else said
        )
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'answer'}: {e['msg']}" for e in error.errors()
        )
        raise _unusable(f"the answer does not fit its schema: {problems}", answer, text) from error
    except ValueError as error:
        raise _unusable(f"the answer is not JSON: {error}", answer, text) from error


def _text_of(body: Any) -> str:
    blocks = body.get("content")
    texts = [
        str(block.get("text", ""))
        for block in (blocks if isinstance(blocks, list) else [])
        if isinstance(block, dict) and block.get("type") == "text"
    ]
    return "".join(texts)


def _unusable(problem: str, answer: Answer, text: str) -> NonRetryableError:
    return NonRetryableError(
        f"{problem} (call {answer.call}, {answer.cost_micros} micro-dollars, paid once). "
        "A retry reads the same answer again; regenerate from here to pay for another.",
        data={
            "call": answer.call,
            "stop_reason": answer.body.get("stop_reason"),
            "stop_details": answer.body.get("stop_details"),
            "answer": text[:_EXCERPT],
        },
    )
