"""The proofs of what an editor saves: the lane as it would be run, with what was written in it."""

from dataclasses import replace

from lanes.compiler import Makeup
from lanes.costs import prove_affordable
from lanes.models import Lane
from lanes.plain_json import read_entries
from lanes.rule import refuse_without_reason


def prove_options(lane: Lane, entries: object) -> None:
    """Say whether the lane's graph can be run with these options.

    Raises:
        ContractError: with a path such as `options.ground.passes`.
    """
    prove_affordable(replace(Makeup.of(lane), options=entries))


def prove_own_graph(
    lane: Lane, entries: object, *, reason: str = "", options: object = None
) -> None:
    """Say whether the lane may have this graph: it can be run, and it is worth having.

    Args:
        lane: whose graph.
        entries: as somebody wrote them.
        reason: why it has one.
        options: laid over it; None for those in use.

    Raises:
        ContractError: with a path such as `graph.entries[3].options.passes`, or `graph.reason`.
    """
    read = read_entries(entries, path="graph.entries")
    prove_affordable(_with_options(replace(Makeup.of(lane), graph=read), options))
    refuse_without_reason(read, reason)


def prove_on_spine(lane: Lane, *, options: object = None) -> None:
    """Say whether the lane can be run on the spine, with these options or those in use.

    Raises:
        ContractError: an option names an entry that only the lane's own graph has.
    """
    prove_affordable(_with_options(replace(Makeup.of(lane), graph=None), options))


def _with_options(made: Makeup, options: object) -> Makeup:
    return made if options is None else replace(made, options=options)
