"""What a brief may cost at most by its plan, and the bound above which a plan is refused.

Where prices and caps are kept, lanes do not know: steps carry their worst case, and the platform
registers the bound when it starts.
"""

from collections.abc import Callable

from lanes.compiler import Makeup, prove_makeup
from workflows.errors import ContractError, NonRetryableError
from workflows.graphs import Plan, StepEntry

_bounds: list[Callable[[str], int]] = []


def register_cost_bound(bound: Callable[[str], int]) -> None:
    """Let a lane's name tell the most micros that one of its briefs may cost; the last one counts.

    Every save, check and load asks it, no dispatch does: what is under way is bounded by the
    ledger, and a bound that was lowered since must not close a lane.
    """
    _bounds[:] = [bound]


def bound_of(lane: str) -> int | None:
    """Return the most micros that one of the lane's briefs may cost; None if none was registered.

    Raises:
        ContractError: whoever registered it has none for this lane.
    """
    if not _bounds:
        return None
    try:
        return _bounds[0](lane)
    except NonRetryableError as error:
        raise ContractError("lane", str(error)) from None


def worst_cases(made: Makeup, plan: Plan) -> dict[str, int]:
    """Return the most micros that each entry may cost that may cost anything at all.

    Raises:
        ContractError: what an entry costs is unknown, such as that of a model without a price.
    """
    found: dict[str, int] = {}
    for position, entry in enumerate(plan.entries):
        if isinstance(entry, StepEntry) and entry.step.worst_case is not None:
            try:
                found[entry.name] = entry.step.worst_case(entry.options)
            except NonRetryableError as error:
                path = made.path_of_options(entry.name, position)
                raise ContractError(path, str(error)) from None
    return found


def prove_affordable(made: Makeup) -> Plan:
    """Prove what a lane would be run with, and that its bound pays for it; return the plan.

    Raises:
        ContractError: as `prove_makeup`, or the worst case is above the bound.
    """
    plan = prove_makeup(made)
    worst = worst_cases(made, plan)
    if not any(worst.values()):
        return plan  # without a key nothing can be paid
    bound = bound_of(made.lane.name)
    if bound is not None and sum(worst.values()) > bound:
        named = ", ".join(f"{name} {micros}" for name, micros in worst.items() if micros)
        raise ContractError(
            "options" if made.graph is None and made.options else f"{made.origin}.entries",
            f"a brief may cost {sum(worst.values())} micro-dollars ({named}), and one of this "
            f"lane may cost {bound}; lower what they may use, leave one out, or raise the cap",
        )
    return plan
