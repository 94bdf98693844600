"""What a sender is told about its submission: the instance, and what to do next."""

from typing import Any

from django.utils import timezone

from publishing.instances import describe_instance
from publishing.intake.submit import Submission
from publishing.ledger.today import find_spent_budget
from workflows.models import Status

_ENDED = {Status.COMPLETE.label, Status.TERMINATED.label}


def describe_submission(submission: Submission, *, base: str) -> dict[str, Any]:
    """Return the instance as JSON, with `detail`, and where they apply `changed`, `next`, `budget`.

    Args:
        base: scheme and host that addresses begin with, without a slash at the end.
    """
    answer = describe_instance(submission.brief, base=base)
    if submission.created:
        answer["detail"] = "queued"
    else:
        answer |= {"detail": "already queued", "changed": submission.changed}
    if answer["status"] == Status.ERRORED.label:
        answer["next"] = (
            f"{answer['instance_id']} is errored: an operator must retry it in the admin; its"
            " finished steps are kept. Do not send the same text under a new brief_id, which could"
            " publish it twice; a brief with other sources is another brief."
        )
    elif answer["status"] not in _ENDED:
        answer |= _budget_note()
    return answer


def _budget_note() -> dict[str, Any]:
    spent = find_spent_budget(timezone.now())
    if spent is None:
        return {}
    budget = spent.as_json()
    return {
        "budget": budget,
        "next": (
            "The money for today is spent: the brief is kept, and its paid steps wait until"
            f" {budget['resets_at']} or until an operator raises the cap and retries it."
            " Nothing needs to be sent again."
        ),
    }
