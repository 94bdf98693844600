"""Whether this code can finish what other code began: the gate before a deploy.

It proves the graphs of all open instances, and reads the recorded outputs and envelopes that their
remaining steps will take. Instances that are created meanwhile are caught when they run.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from workflows.contracts import Contract
from workflows.errors import ContractError
from workflows.graphs import Plan, StepEntry, outputs_read, wire_graph
from workflows.models import Drain, Envelope, Instance, Status, StepGraph, StepRecord
from workflows.registry import code_version
from workflows.runs import parse_envelope, parse_output

PAGE = 500  # instances read at a time
EXAMPLES = 3  # instance IDs named a group


@dataclass(frozen=True)
class Drift:
    """One place at which open instances do not fit this code.

    Attributes:
        path: JSON path: of the graph, of an entry's recorded output, or of the envelope.
        count: instances.
        examples: the first few IDs.
    """

    workflow: str
    path: str
    message: str
    count: int
    examples: tuple[str, ...]


def find_drift() -> list[Drift]:
    """Return every place at which open instances do not fit, grouped; empty is a pass."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    open_ones = Instance.objects.filter(status__lt=Status.ERRORED)
    for graph, workflow in open_ones.values_list("graph_id", "workflow").distinct().order_by():
        chosen = open_ones.filter(graph=graph, workflow=workflow)
        for instance_id, error in _check(chosen, graph, workflow):
            groups[workflow, error.path, error.message].append(instance_id)
    return [
        Drift(*group, count=len(ids), examples=tuple(sorted(ids)[:EXAMPLES]))
        for group, ids in sorted(groups.items())
    ]


def _check(
    chosen: QuerySet[Instance], graph: int, workflow: str
) -> Iterator[tuple[str, ContractError]]:
    try:
        plan = wire_graph(StepGraph.objects.get(pk=graph).entries, workflow=workflow)
    except ContractError as error:
        for instance_id in chosen.values_list("instance_id", flat=True):
            yield str(instance_id), error
        return
    yield from _check_envelopes(chosen, plan)
    yield from _check_outputs(chosen, plan)


def _check_envelopes(chosen: QuerySet[Instance], plan: Plan) -> Iterator[tuple[str, ContractError]]:
    last_reader: dict[type[Contract], int] = {}
    for position, entry in enumerate(plan.entries):
        if isinstance(entry, StepEntry):
            for parameter, provider in entry.wiring.items():
                if provider is None:
                    last_reader[entry.inputs[parameter]] = position
    for contract, position in last_reader.items():
        for row in _of_each(chosen.filter(position__lte=position), Envelope.objects.all()):
            try:
                parse_envelope(plan.workflow, contract, row.data)
            except ContractError as error:
                yield str(row.instance.instance_id), error


def _check_outputs(chosen: QuerySet[Instance], plan: Plan) -> Iterator[tuple[str, ContractError]]:
    """Read the outputs that other code has recorded, and that remaining entries will read."""
    same_code = Drain.objects.filter(code_version=code_version()).values("pk")
    for position, entry in enumerate(plan.entries):
        for provider, contract in outputs_read(entry):
            readers = chosen.filter(position__gt=provider, position__lte=position)
            rows = StepRecord.objects.filter(
                entry=plan.entries[provider].name, superseded=False
            ).exclude(drain__in=same_code)
            for row in _of_each(readers, rows):
                try:
                    parse_output(row.entry, contract, row.output)
                except ContractError as error:
                    yield str(row.instance.instance_id), error


def _of_each(chosen: QuerySet[Instance], rows: QuerySet[Any]) -> Iterator[Any]:
    """Yield the rows of the instances, a page of instances at a time.

    By keyset, so that no cursor stays open on the server, and by their keys, so that what ended
    instances have kept is not read.
    """
    last, keys = 0, chosen.order_by("pk").values_list("pk", flat=True)
    while page := list(keys.filter(pk__gt=last)[:PAGE]):
        yield from rows.filter(instance__in=page).select_related("instance")
        last = page[-1]
