"""What a verb will do to one instance, said before it is done: what runs, what stays, the cost."""

from dataclasses import dataclass, field

from publishing.admin.marks import money
from workflows.errors import ContractError
from workflows.graphs import StepEntry, load_plan
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
        plan = load_plan(instance.graph_id, instance.workflow)
    except ContractError as drift:
        return f"This code cannot run its graph ({drift}), so it will wait for code that can."
    most, names = 0, []
    for entry in plan.entries[begin:]:
        if isinstance(entry, StepEntry) and entry.step.worst_case is not None:
            most += entry.step.worst_case(entry.options)
            names.append(entry.name)
    if not names:
        return "None of this pays for anything."
    return f"May pay: {', '.join(names)}; at most {money(most)} a run. {SERVED_AGAIN}"
