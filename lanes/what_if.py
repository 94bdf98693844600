"""Graphs that no lane has yet: read from a file in the shape of the lanes' file, for the math."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lanes.compiler import Makeup
from lanes.files import GraphInFile, LaneInFile, LanesFileError, read_rows, repeated
from lanes.models import Lane
from lanes.plain_json import read_entries
from lanes.planning import LanePlan, plan_lane
from lanes.specs import first_fault
from workflows.errors import ContractError


@dataclass(frozen=True)
class WhatIf:
    """A lane as a file would have it.

    Attributes:
        made: what it would be run with.
        reason: why it would have a graph of its own.
        plan: its math.
    """

    made: Makeup
    reason: str
    plan: LanePlan


def read_what_ifs(file: Path, in_use: dict[str, Makeup]) -> dict[str, WhatIf]:
    """Return the file's lanes by name; `graph` and `options` are looked at, as far as given.

    Args:
        file: `[[lane]]` with `name`, and `[[lane.graph.entries]]` or `[lane.options]`.
        in_use: what lanes are run with now, for what the file does not say.

    Raises:
        LanesFileError: with every problem; paths and words are those of a refused save.
    """
    rows, problems = read_rows(file)
    found: list[WhatIf] = []
    for number, row in enumerate(rows, 1):
        named = row.get("name") if isinstance(row, dict) else None
        try:
            found.append(_read(row, in_use))
        except ContractError as error:
            problems.append(f"lane {named or number}: {error}")
    problems += repeated(one.made.lane.name for one in found)
    if problems:
        raise LanesFileError(str(file), problems)
    return {one.made.lane.name: one for one in found}


def _read(row: Any, in_use: dict[str, Makeup]) -> WhatIf:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        raise ContractError("name", "is missing; write the name of a lane, new or not")
    for field in row:
        if field not in LaneInFile.model_fields:
            known = ", ".join(LaneInFile.model_fields)
            raise ContractError(field, f"is unknown; there are {known}")
    name = row["name"]
    made = in_use.get(name) or Makeup(Lane(name=name, title=name), None, {})
    graph = _read_graph(row)
    if graph is not None:
        made = replace(made, graph=read_entries(graph.entries, path="graph.entries"), options={})
    made = replace(made, options=row.get("options", made.options))
    reason = graph.reason if graph else ""
    return WhatIf(made, reason, plan_lane(made, reason=reason))


def _read_graph(row: dict[str, Any]) -> GraphInFile | None:
    if "graph" not in row:
        return None
    try:
        return GraphInFile.model_validate(row["graph"])
    except ValidationError as error:
        path, message = first_fault(error)
        raise ContractError(".".join(part for part in ("graph", path) if part), message) from None
