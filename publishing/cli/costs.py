"""What the verbs of `manage.py instances` may pay, said before they are confirmed."""

from typing import Any

from django.db.models import QuerySet

from publishing.ledger.bulk_estimates import (
    BulkEstimate,
    estimate_going_on,
    estimate_restarts,
)
from publishing.ledger.estimates import SpendEstimate
from workflows.cli.forecasting import Forecast
from workflows.models import Instance

GO_ON = frozenset({"retry", "resume", "send-event", "replace-output"})
_MICROS = 1_000_000


def foretell_cost(verb: str, entry: str | None, chosen: QuerySet[Instance]) -> Forecast | None:
    """Return what the verb may cost; None where no step that it lets run pays."""
    if verb == "restart":
        estimate = estimate_restarts(chosen, entry)
    elif verb in GO_ON:
        estimate = estimate_going_on(chosen)
    else:
        return None
    if not estimate.spend.entries and not estimate.troubles:
        return None
    return Forecast(words=_words(estimate), fields=_fields(estimate))


def spend_fields(spend: SpendEstimate) -> dict[str, Any]:
    """Return an estimate as JSON."""
    return {
        "expected_micros": spend.total.expected_micros,
        "worst_micros": spend.total.worst_micros,
        "entries": {
            each.entry: {
                "expected_micros": each.expected_micros,
                "worst_micros": each.worst_micros,
                "is_paid_already": each.is_paid_already,
            }
            for each in spend.entries
        },
    }


def dollars(micros: int) -> str:
    """Return dollars, exactly: cents, and as many more places as are needed."""
    whole, rest = divmod(micros, _MICROS)
    return f"${whole:,}.{f'{rest:06d}'.rstrip('0').ljust(2, '0')}"


def _words(estimate: BulkEstimate) -> str:
    total = estimate.spend.total
    names = ", ".join(each.entry for each in estimate.spend.entries) or "nothing that is known"
    told = (
        f"May pay for {names}: expected {dollars(total.expected_micros)}, at most "
        f"{dollars(total.worst_micros)}, within the caps; what is paid for already is served again."
    )
    return " ".join([told, *(f"Not counted: {trouble}." for trouble in estimate.troubles)])


def _fields(estimate: BulkEstimate) -> dict[str, Any]:
    return spend_fields(estimate.spend) | {
        "instances": estimate.instances,
        "troubles": list(estimate.troubles),
    }
