"""The spine's standing review: a lane's policy decides whether articles wait for an approval.

The entry is a `wait`, so it counts nothing in a graph's distance. Under `never` it is left out.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError

from workflows.contracts import StepOptions
from workflows.errors import ContractError

REVIEW = "review"  # the entry's name, under which a lane's options are laid over it
EVENT = "approval"
FLAGGED = "*/flags"  # of the draft, of what became of it, and of every note for the reviewer

ENTRY: dict[str, Any] = {"name": REVIEW, "wait": EVENT}


class ReviewOptions(StepOptions):
    """When an article waits for a person before it is published.

    Attributes:
        policy: `flagged` waits if a step gave a reason why a person should look.
    """

    policy: Literal["always", "flagged", "never"] = "never"


def is_review(entry: Mapping[str, Any]) -> bool:
    """Return whether the entry is the one that the policy decides about."""
    return entry.get("wait") == EVENT and entry.get("name", EVENT) == REVIEW


def compile_review(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the graph's entry under a lane's options, or None where nothing waits.

    Raises:
        ContractError: the options do not fit, with a path such as `options.review.policy`.
    """
    try:
        policy = ReviewOptions.model_validate(dict(options)).policy
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = ".".join(str(part) for part in ("options", REVIEW, *first["loc"]))
        raise ContractError(path, first["msg"]) from None
    if policy == "never":
        return None
    when = {"when": [FLAGGED]} if policy == "flagged" else {}
    return ENTRY | {"timeout": None} | when  # a person may take as long as it takes
