"""Write versions and their uses; whoever calls holds the lane's row, under which all is counted."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Manager, Max

from lanes.models import AntiPattern, Bundle, Lane, LaneGraph, LaneOptions, VersionUse
from lanes.specs import Specs

AnyVersion = Bundle | LaneOptions | LaneGraph

_KINDS = {
    Bundle: VersionUse.Kind.BUNDLE,
    LaneOptions: VersionUse.Kind.OPTIONS,
    LaneGraph: VersionUse.Kind.GRAPH,
}


def lock_lane(lane: Lane) -> Lane:
    """Return the lane as it is now, locked until the transaction ends."""
    locked = Lane.objects.select_for_update(of=("self",), no_key=True)
    return locked.select_related("graph", "options").get(pk=lane.pk)


def store_bundle(lane: Lane, specs: Specs, author: User | None, note: str) -> Bundle:
    fields = specs.model_dump(mode="json", exclude={"anti_patterns"})
    made = Bundle.objects.create(
        lane=lane,
        version=_next(lane.bundles),
        author=author,
        note=note,
        pattern_count=len(specs.anti_patterns),
        **fields,
    )
    AntiPattern.objects.bulk_create(
        AntiPattern(
            bundle=made,
            place=place,
            text=each.text,
            why=each.why,
            severity=each.severity,
            pattern=each.pattern or "",
        )
        for place, each in enumerate(specs.anti_patterns)
    )
    return made


def store_options(
    lane: Lane, entries: dict[str, Any], author: User | None, note: str
) -> LaneOptions:
    version = _next(lane.options_versions)
    return LaneOptions.objects.create(
        lane=lane, version=version, entries=entries, author=author, note=note
    )


def store_graph(
    lane: Lane, entries: list[dict[str, Any]], reason: str, author: User | None, note: str
) -> LaneGraph:
    version = _next(lane.graphs)
    return LaneGraph.objects.create(
        lane=lane, version=version, entries=entries, reason=reason, author=author, note=note
    )


def put_to_use(lane: Lane, version: AnyVersion, author: User | None) -> None:
    kind = _KINDS[type(version)].value
    Lane.objects.filter(pk=lane.pk).update(**{kind: version})
    VersionUse.objects.create(lane=lane, kind=kind, author=author, **{kind: version})


def put_on_spine(lane: Lane, author: User | None) -> None:
    """Let the lane have no graph of its own from now on."""
    Lane.objects.filter(pk=lane.pk).update(graph=None)
    VersionUse.objects.create(lane=lane, kind=VersionUse.Kind.GRAPH, author=author)


def _next(versions: Manager[Any]) -> int:
    return (versions.aggregate(newest=Max("version"))["newest"] or 0) + 1
