"""Lanes as a TOML file: read and proved whole before anything is loaded, and written back."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from lanes.models import Lane
from lanes.proofs import prove_options, prove_own_graph
from lanes.specs import Specs, faults_of, specs_of
from workflows.contracts import Contract
from workflows.errors import ContractError

LANE_FIELDS = ("title", "description", "hue", "place", "closed_because")


class LanesFileError(Exception):
    """The file does not fit; nothing was written.

    Attributes:
        problems: one line each, with lane and path.
    """

    def __init__(self, file: str, problems: list[str]) -> None:
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))
        self.problems = problems


def _without_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("contains NUL, which no text may")
    return value


def _text(longest: int, *, least: int = 0) -> Any:
    return Annotated[
        str,
        StringConstraints(min_length=least, max_length=longest),
        AfterValidator(_without_nul),
    ]


class BundleInFile(Specs):
    """A bundle's specs, with the note that its version will carry."""

    note: _text(300) = ""  # type: ignore[valid-type]

    @property
    def specs(self) -> Specs:
        """The four specs alone."""
        return Specs(**{name: getattr(self, name) for name in Specs.model_fields})


class GraphInFile(Contract):
    """A lane's own graph: `[[lane.graph.entries]]`, and the reason for having it.

    Its entries are proved with the lane, not here, so that they are refused in the same words
    wherever they come from.
    """

    reason: str = ""
    note: _text(300) = ""  # type: ignore[valid-type]
    entries: Any


class LaneInFile(Contract):
    """One `[[lane]]`; `place` is its position in the file where it is not given."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    title: _text(60, least=1)  # type: ignore[valid-type]
    description: _text(300) = ""  # type: ignore[valid-type]
    hue: Annotated[int, Field(ge=0, le=359)] = 210
    place: Annotated[int, Field(ge=0, le=32767)] | None = None
    closed_because: _text(300) = ""  # type: ignore[valid-type]
    bundle: BundleInFile
    options: Any = {}
    graph: GraphInFile | None = None


def read_lanes(file: Path) -> list[LaneInFile]:
    """Return the file's lanes, proved against the steps of this code.

    Raises:
        LanesFileError: with every problem; a path is `lane: field: what`.
    """
    rows, problems = read_rows(file)
    lanes: list[LaneInFile] = []
    for number, row in enumerate(rows, 1):
        try:
            lanes.append(_read_lane(row))
        except ValidationError as error:
            problems += [f"{_called(row, number)}: {at}: {what}" for at, what in faults_of(error)]
        except ContractError as error:
            problems.append(f"{_called(row, number)}: {error}")
    problems += repeated(lane.name for lane in lanes)
    if problems:
        raise LanesFileError(str(file), problems)
    return lanes


def read_rows(file: Path) -> tuple[list[Any], list[str]]:
    """Return the file's `[[lane]]`s as they are written, and what else stands in it.

    Raises:
        LanesFileError: it cannot be read, or has none.
    """
    try:
        document = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LanesFileError(str(file), [str(error)]) from None
    rows = document.get("lane")
    problems = [f"{key}: is unknown; there is only [[lane]]" for key in document if key != "lane"]
    if not isinstance(rows, list) or not rows:
        raise LanesFileError(str(file), [*problems, "has no [[lane]]"])
    return rows, problems


def repeated(names: Iterable[str]) -> list[str]:
    """Return a problem for each name that stands twice, in their order."""
    listed = list(names)
    return [
        f"lane {name}: stands twice" for name in dict.fromkeys(listed) if listed.count(name) > 1
    ]


def describe_lanes() -> list[dict[str, Any]]:
    """Return all lanes with their versions in use, in the shape of the file."""
    rows = (
        Lane.objects.select_related("bundle", "options", "graph")
        .prefetch_related("bundle__anti_patterns")
        .exclude(bundle=None)
    )
    return [_describe(lane, position) for position, lane in enumerate(rows)]


def _read_lane(row: object) -> LaneInFile:
    lane = LaneInFile.model_validate(row)
    fields = {name: getattr(lane, name) for name in ("name", "title", "description", "hue")}
    if lane.graph is None:
        prove_options(Lane(**fields), lane.options)
    else:
        prove_own_graph(
            Lane(**fields), lane.graph.entries, reason=lane.graph.reason, options=lane.options
        )
    return lane


def _called(row: object, number: int) -> str:
    named = row.get("name") if isinstance(row, dict) else None
    return f"lane {named or number}"


def _describe(lane: Lane, position: int) -> dict[str, Any]:
    described: dict[str, Any] = {"name": lane.name}
    for name in LANE_FIELDS:
        value = getattr(lane, name)
        if name in ("title", "hue") or (value != position if name == "place" else value):
            described[name] = value
    if lane.bundle:
        specs = specs_of(lane.bundle).model_dump(exclude_none=True)
        patterns = specs.pop("anti_patterns")
        described["bundle"] = specs | {"note": lane.bundle.note, "anti_patterns": patterns}
    described["options"] = lane.options.entries if lane.options else {}
    if lane.graph:
        said = {"reason": lane.graph.reason, "note": lane.graph.note}
        described["graph"] = {name: text for name, text in said.items() if text}
        described["graph"]["entries"] = lane.graph.entries
    return described
