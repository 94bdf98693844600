"""What a verb will do to one instance, said before it is done: what runs, what stays, the cost."""

from dataclasses import dataclass, field

from publishing.admin.marks import money
from publishing.ledger.errors import UnknownPriceError
from publishing.ledger.estimates import estimate_verb
from workflows.errors import ContractError
from workflows.listing import entry_name
from workflows.models import Instance

SERVED_AGAIN = "An answer that was settled is served again for the same request, not paid again."


@dataclass
class Forecast:
    """What a verb will do.

    Attributes:
        later: what follows the entry that the instance stands at.
    """

    runs_again: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)
    pays: str = ""


def forecast(instance: Instance, *, begin: int) -> Forecast:
    """Say what runs again from a position on, what stays, and what that may cost."""
    names = [entry_name(entry) for entry in instance.graph.entries]
    done = set(instance.records.filter(superseded=False).values_list("entry", flat=True))
    return Forecast(
        runs_again=names[begin:],
        later=names[instance.position + 1 :],
        stays=[name for name in names[:begin] if name in done],
        pays=_may_pay(instance, begin),
    )


def _may_pay(instance: Instance, begin: int) -> str:
    try:
        estimate = estimate_verb(instance, "restart", begin=begin)
    except ContractError as drift:
        return f"This code cannot run its graph ({drift}), so it will wait for code that can."
    except UnknownPriceError as error:
        return f"It would be stopped: {error}."
    if not estimate.entries:
        return "None of this pays for anything."
    names = ", ".join(each.entry for each in estimate.entries)
    total = estimate.total
    return (
        f"May pay: {names}; expected {money(total.expected_micros)}, at most "
        f"{money(total.worst_micros)} a run. {SERVED_AGAIN}"
    )
