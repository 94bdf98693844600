"""What a verb will do, said before it is done: what runs, what stays, what it may cost."""

from dataclasses import dataclass, field

from django.db.models import QuerySet

from publishing.admin.verb_forms import wanted_event
from publishing.ledger.bulk_estimates import estimate_going_on, estimate_restarts
from publishing.ledger.errors import MissingCapError, UnknownPriceError
from publishing.ledger.estimates import SpendEstimate, estimate_verb
from publishing.regeneration import left_of
from workflows.errors import ContractError
from workflows.listing import entry_name
from workflows.models import Instance

# The verbs after which steps run; the others pay for nothing.
RUNNING = frozenset({"retry", "resume", "restart", "send-event", "replace-output"})


@dataclass(frozen=True)
class Cost:
    """What the steps that a verb lets run may cost.

    Attributes:
        spend: by entry, summed where there are many instances.
        left_micros: what the brief's cap has left; None of many, or of what is no brief's.
        troubles: why something could not be counted.
    """

    spend: SpendEstimate
    left_micros: int | None = None
    troubles: tuple[str, ...] = ()


@dataclass
class Forecast:
    """What a verb will do.

    Attributes:
        later: what follows the entry that the instance stands at.
        cost: None for a verb that lets nothing run.
    """

    runs_again: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)
    cost: Cost | None = None


def forecast(instance: Instance, verb: str) -> Forecast:
    """Say what runs, what stays, and what that may cost."""
    begin = 0 if verb == "restart" else instance.position
    lets_run = verb in RUNNING and (verb != "send-event" or bool(wanted_event(instance)))
    names = [entry_name(entry) for entry in instance.graph.entries]
    done = set(instance.records.filter(superseded=False).values_list("entry", flat=True))
    return Forecast(
        runs_again=names[begin:],
        later=names[instance.position + 1 :],
        stays=[name for name in names[:begin] if name in done],
        cost=_cost(instance, begin) if lets_run else None,
    )


def forecast_many(chosen: QuerySet[Instance], verb: str) -> Cost | None:
    """Return what the verb may cost for all of them; a restart from the first entry on."""
    if verb not in RUNNING:
        return None
    restarts = verb == "restart"
    found = estimate_restarts(chosen, None) if restarts else estimate_going_on(chosen)
    return Cost(spend=found.spend, troubles=found.troubles)


def _cost(instance: Instance, begin: int) -> Cost:
    brief = getattr(instance, "brief", None)
    left: int | None = None
    try:
        left = left_of(brief) if brief else None
        return Cost(estimate_verb(instance, "restart", begin=begin), left)
    except ContractError as drift:
        trouble = f"This code cannot run its graph ({drift}), so it will wait for code that can."
    except (UnknownPriceError, MissingCapError) as error:
        trouble = f"It would be stopped: {error}."
    return Cost(SpendEstimate(()), left, (trouble,))
