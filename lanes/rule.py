"""When a lane may have a graph of its own: when it differs from the spine by more than one stage.

Up to the threshold a branch inside a step (an option) is cheaper to keep than a second graph that
must follow every change of the spine; so there it takes a written reason. The number is the
setting LANES_OWN_GRAPH_ABOVE.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from lanes.distance import Distance, distance_from_spine
from lanes.spine import SPINE
from workflows.errors import ContractError
from workflows.registry import get_step

_LONGEST_REASON = 300  # of the column


def is_own_graph_worth_it(distance: Distance) -> bool:
    """Return whether the stages that differ make a graph of its own cheaper than a branch."""
    return distance.stages > int(settings.LANES_OWN_GRAPH_ABOVE)


def refuse_without_reason(entries: Sequence[Mapping[str, Any]], reason: str) -> None:
    """Refuse a graph that hardly differs from the spine, unless somebody says why it must be.

    Args:
        entries: of a graph that was proved.
        reason: what its author wrote.

    Raises:
        ContractError: of `graph.reason`; it names the option that would do, where there is one.
    """
    if len(reason) > _LONGEST_REASON:
        raise ContractError("graph.reason", f"has at most {_LONGEST_REASON} characters")
    if "\x00" in reason:
        raise ContractError("graph.reason", "contains NUL, which no text may")
    distance = distance_from_spine(entries)
    if is_own_graph_worth_it(distance) or reason.strip():
        return
    raise ContractError(
        "graph.reason",
        f"is empty, and the graph is {stages_in_words(distance.stages)} away from the spine "
        f"({distance}); up to {settings.LANES_OWN_GRAPH_ABOVE} a lane stays on it: "
        f"{way_without(entries, distance)}, or give the reason for a graph of its own",
    )


def stages_in_words(stages: int) -> str:
    """Return a number of stages, such as `1 stage`."""
    return f"{stages} stage" if stages == 1 else f"{stages} stages"


def way_without(entries: Sequence[Mapping[str, Any]], distance: Distance) -> str:
    """Return what does instead of a graph of its own: the options of the steps that differ."""
    about = _differing_steps(entries, distance)
    would_do = {step: options for step in about if (options := _options_of(step))}
    if not would_do:
        return "keep to the spine's stages"
    named = "; ".join(
        " and ".join(f"options.{step}.{option}" for option in options)
        for step, options in would_do.items()
    )
    return f"use the branch inside the step ({named})"


def _differing_steps(entries: Sequence[Mapping[str, Any]], distance: Distance) -> list[str]:
    """Return the spine's steps that stand there once more, or are set otherwise.

    No option does for a stage that is moved or left out.
    """
    of_spine = {entry["step"]: entry.get("options") for entry in SPINE if "step" in entry}
    more = {*distance.added, *(new for _, new in distance.replaced)}
    found = []
    for entry in entries:
        step = entry.get("step", "")
        is_set_otherwise = entry.get("options") != of_spine.get(step)
        if step in of_spine and (entry.get("name", step) in more or is_set_otherwise):
            found.append(step)
    return list(dict.fromkeys(found))


def _options_of(step: str) -> list[str]:
    options = get_step(step).options
    return list(options[1].model_fields) if options else []
