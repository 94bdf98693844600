"""What a verb for many instances may cost, read by groups: as quick for a million as for one."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from django.db import connection
from django.db.models import Count, QuerySet

from lanes.selection import WORKFLOW
from publishing.ledger.errors import UnknownPriceError
from publishing.ledger.estimates import EntryEstimate, SpendEstimate, estimate_entries
from workflows.errors import ContractError
from workflows.graphs import Plan, StepEntry, load_plan
from workflows.models import Instance


@dataclass(frozen=True)
class BulkEstimate:
    """The sums by entry, in the order of the graphs.

    Attributes:
        instances: those that the verb would run.
        troubles: why some of them could not be counted; each once.
    """

    spend: SpendEstimate
    instances: int
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Group:
    """Instances that stand at the same place; of so many the entry's answer is stored."""

    graph: int
    workflow: str
    lane: str
    position: int
    instances: int
    stored: Mapping[str, int]

    @cached_property
    def plan(self) -> Plan:
        return load_plan(self.graph, self.workflow)


@dataclass
class _Sums:
    """What is added up."""

    expected: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    worst: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    unstored: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    instances: int = 0
    troubles: dict[str, None] = field(default_factory=dict)

    def add(self, group: _Group, entries: list[EntryEstimate]) -> None:
        self.instances += group.instances
        for each in entries:
            anew = max(0, group.instances - group.stored.get(each.entry, 0))
            self.expected[each.entry] += anew * each.expected_micros
            self.worst[each.entry] += group.instances * each.worst_micros
            self.unstored[each.entry] += anew


def estimate_going_on(chosen: QuerySet[Instance]) -> BulkEstimate:
    """Return what it may cost that each goes on from the entry at which it stands."""
    return _estimate(chosen, entry=None, is_restart=False)


def estimate_restarts(chosen: QuerySet[Instance], entry: str | None) -> BulkEstimate:
    """Return what it may cost that each begins again.

    Args:
        chosen: those that have not reached the entry are left out, as the verb leaves them.
        entry: the first that runs again; None for the graph's first.
    """
    return _estimate(chosen, entry=entry, is_restart=True)


def _estimate(chosen: QuerySet[Instance], *, entry: str | None, is_restart: bool) -> BulkEstimate:
    sums = _Sums()
    for group in _groups(chosen):
        try:
            begin = _restart_at(group, entry) if is_restart else group.position
            if begin is None:
                continue
            later = [each for each in group.plan.entries[begin:] if isinstance(each, StepEntry)]
            sums.add(group, estimate_entries(later, group.lane))
        except (ContractError, UnknownPriceError) as error:
            sums.troubles[str(error)] = None
    return BulkEstimate(
        spend=SpendEstimate(
            tuple(
                EntryEstimate(name, sums.expected[name], micros, not sums.unstored[name])
                for name, micros in sums.worst.items()
            )
        ),
        instances=sums.instances,
        troubles=tuple(sums.troubles),
    )


def _restart_at(group: _Group, entry: str | None) -> int | None:
    if entry is None:
        return 0
    names = [each.name for each in group.plan.entries]
    position = names.index(entry) if entry in names else None
    return None if position is None or position > group.position else position


def _groups(chosen: QuerySet[Instance]) -> list[_Group]:
    found = Instance.objects.filter(pk__in=chosen.order_by().values("pk"), pruned_at=None)
    place = ("graph_id", "workflow", "partition", "position")
    stored = _stored(found)
    return [
        _Group(graph, workflow, lane, position, number, stored.get((graph, lane, position), {}))
        for graph, workflow, lane, position, number in found.order_by(*place)
        .values(*place)
        .annotate(number=Count("pk"))
        .values_list(*place, "number")
    ]


def _stored(found: QuerySet[Instance]) -> dict[tuple[int, str, int], dict[str, int]]:
    """Return of how many in each group an entry's answer is stored and would be served."""
    briefs = found.filter(workflow=WORKFLOW).order_by().values("pk")
    inner, parameters = briefs.query.sql_with_params()
    stored: defaultdict[tuple[int, str, int], dict[str, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_STORED.format(chosen=inner), parameters)
        for graph, lane, position, entry, number in cursor.fetchall():
            stored[graph, lane, position][entry] = number
    return stored


# After a regeneration its own answers alone are counted: the most that is paid again, not less.
_STORED = """
select i.graph_id, i.partition, i.position, c.entry, count(distinct c.brief_id)
from workflows_instance as i join publishing_call as c on c.brief_id = i.key
where i.id in ({chosen}) and c.answer is not null and c.state in ('settled', 'unknown')
    and not exists (
        select 1 from publishing_regeneration as r
        where r.brief_id = c.brief_id and r.number > split_part(c.key, '/', 3)::int)
group by i.graph_id, i.partition, i.position, c.entry
"""
