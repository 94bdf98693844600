"""A brief taken in for trial: every check of the intake, what it may cost, and nothing kept."""

from dataclasses import dataclass

from django.db import transaction

from publishing.intake.submit import Sender, Submission, submit_brief
from publishing.ledger.estimates import SpendEstimate, estimate_brief


@dataclass(frozen=True)
class Rehearsal:
    """What would become of a brief.

    Attributes:
        submission: as it would be; its rows are gone.
        estimate: what it may cost; None where the brief_id was used before, which pays nothing.
    """

    submission: Submission
    estimate: SpendEstimate | None


@transaction.atomic
def rehearse_brief(body: object, sender: Sender) -> Rehearsal:
    """Submit a brief in a transaction that is rolled back.

    A twin that is posted meanwhile waits for it, and is then created.

    Raises:
        publishing.intake.refusals.RefusedError: as `submit_brief` has it.
        workflows.errors.CreateBusyError: a twin held the ID for too long.
        UnknownPriceError: a model of the lane has no price; the brief would end in this error.
    """
    submission = submit_brief(body, sender)
    # Its pages are not fetched for a rehearsal: they are taken to be as long as usual.
    estimate = estimate_brief(submission.brief.lane) if submission.created else None
    transaction.set_rollback(True)
    return Rehearsal(submission, estimate)
