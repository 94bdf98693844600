"""The command `plan_lanes`: which lanes stay on the spine, and what graphs of their own cost."""

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from lanes.compiler import Makeup, prove_makeup
from lanes.files import LanesFileError
from lanes.models import Lane
from lanes.planning import LanePlan, Upkeep, makeups_in_use, plan_lane, split, upkeep_of
from lanes.what_if import WhatIf, read_what_ifs
from lanes.wiring import draw_wiring, wires_of
from workflows.cli.console import Console
from workflows.errors import ContractError


class Command(BaseCommand):
    """`plan_lanes [LANE] [--file FILE] [--split] [--wiring] [--json]`; it changes nothing."""

    help = (
        "Print the migration math: how far each lane's graph is from the spine, what there is to "
        "keep in step, what a brief may cost, and the verdict. Nothing is changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the lane, the what-ifs, and the form of the output."""
        parser.add_argument("lane", nargs="?", default="", metavar="LANE", help="only this one")
        parser.add_argument("--file", type=Path, help="lanes as they might be, in a TOML file")
        parser.add_argument("--split", action="store_true", help="if every lane had its own graph")
        parser.add_argument(
            "--wiring", action="store_true", help="which entry feeds which; the spine's alone"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do the sums and print them; what cannot be run is refused with its path."""
        console = Console(self.stdout, self.stderr, as_json=options["json"])
        try:
            in_use = makeups_in_use()
            what_ifs = read_what_ifs(options["file"], in_use) if options["file"] else {}
            if options["wiring"]:
                _show_wiring(console, _chosen_makeup(options["lane"], in_use, what_ifs))
            else:
                _show_math(console, options["lane"], in_use, what_ifs, is_split=options["split"])
        except (LanesFileError, ContractError) as error:
            raise CommandError(str(error)) from None


def _show_math(
    console: Console,
    lane: str,
    in_use: dict[str, Makeup],
    what_ifs: dict[str, WhatIf],
    *,
    is_split: bool,
) -> None:
    now = [_plan(made) for made in in_use.values()]
    planned = _with_what_ifs(now, what_ifs)
    upkeep = {"now": upkeep_of(now)}
    if what_ifs:
        upkeep["what_if"] = upkeep_of(planned)
    if is_split:
        makeups = in_use | {name: one.made for name, one in what_ifs.items()}
        upkeep["split"] = upkeep_of([plan_lane(split(made)) for made in makeups.values()])
    shown = [plan for plan in planned if lane in ("", plan.lane)]
    if lane and not shown:
        raise CommandError(f"no lane is called {lane}; there are {', '.join(in_use) or 'none'}")
    if console.as_json:
        console.document(_as_data(shown, upkeep))
    else:
        _print(console, shown, upkeep)


def _plan(made: Makeup) -> LanePlan:
    try:
        return plan_lane(made, reason=made.lane.graph.reason if made.lane.graph else "")
    except ContractError as error:
        raise ContractError(f"lane {made.lane.name}: {error.path}", error.message) from None


def _with_what_ifs(now: Sequence[LanePlan], what_ifs: dict[str, WhatIf]) -> list[LanePlan]:
    plans = {plan.lane: plan for plan in now}
    return list((plans | {name: one.plan for name, one in what_ifs.items()}).values())


def _as_data(plans: Sequence[LanePlan], upkeep: dict[str, Upkeep]) -> dict[str, Any]:
    return {
        "threshold": settings.LANES_OWN_GRAPH_ABOVE,
        "lanes": [plan.as_data() for plan in plans],
        "upkeep": {name: asdict(sums) for name, sums in upkeep.items()},
    }


def _print(console: Console, plans: Sequence[LanePlan], upkeep: dict[str, Upkeep]) -> None:
    heads = ("lane", "graph", "distance", "differs", "inputs", "paid stages", "worst case")
    rows = [
        (
            plan.lane,
            "own" if plan.has_own_graph else "spine",
            plan.distance.stages,
            str(plan.distance) if plan.distance.stages else None,
            plan.inputs,
            ", ".join(plan.paid_stages),
            f"${plan.worst_micros / 1_000_000:.2f}",
        )
        for plan in plans
    ]
    if rows:
        console.table(heads, rows)
        console.line()
    words = {"now": "As it is", "what_if": "With the file", "split": "If every lane were split"}
    for name, sums in upkeep.items():
        console.line(f"{words[name]}: {sums}.")
    console.line()
    for plan in plans:
        console.line(plan.sentence)


def _chosen_makeup(lane: str, in_use: dict[str, Makeup], what_ifs: dict[str, WhatIf]) -> Makeup:
    if not lane:
        return Makeup(Lane(name="any", title="Any"), None, {})
    if lane in what_ifs:
        return what_ifs[lane].made
    if lane not in in_use:
        raise CommandError(f"no lane is called {lane}; there are {', '.join(in_use) or 'none'}")
    return in_use[lane]


def _show_wiring(console: Console, made: Makeup) -> None:
    plan = prove_makeup(made)
    if console.as_json:
        console.document([asdict(wire) for wire in wires_of(plan)])
        return
    for line in draw_wiring(plan):
        console.line(line)
