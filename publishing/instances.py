"""The JSON of an instance: what a routine may know of its brief's run."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.urls import reverse

from publishing.ledger.costs import costs_by_entry
from publishing.models import Article, Brief
from workflows.models import Attempt, Instance, Outcome, Status, StepRecord

_UNCOUNTED = [Outcome.INTERRUPTED, Outcome.PARKED]
_PENDING = "pending"  # of a step that has not begun, and of a wait that was not reached


def find_instance(instance_id: str, lanes: frozenset[str]) -> Brief | None:
    """Return the brief of an instance in one of the lanes, or None: what is hidden is unknown."""
    briefs = Brief.objects.filter(instance__instance_id=instance_id, lane__name__in=lanes)
    return briefs.select_related("lane").first()


def describe_instance(brief: Brief, *, base: str) -> dict[str, Any]:
    """Return the instance of a brief as JSON, read anew.

    Args:
        base: scheme and host that its addresses begin with, without a slash at the end.
    """
    instance = Instance.objects.select_related("graph").get(pk=brief.instance_id)
    if instance.generation == 1 and instance.status == Status.QUEUED:
        run, article = _Run(instance), None  # never claimed: there is nothing else to read
    else:
        run = _read_run(instance, brief.brief_id)
        article = Article.objects.filter(brief=brief, status=Article.Status.LIVE).first()
    return {
        "instance_id": instance.instance_id,
        "brief_id": brief.brief_id,
        "lane": brief.lane.name,
        "status": instance.get_status_display(),
        "waiting_for": instance.reason,
        "created_at": _time(instance.created_at),
        "finished_at": _time(instance.finished_at),
        "cost_micros": sum(run.costs.values()),
        "steps": list(_steps(run)),
        "waits": list(_waits(run)),
        "article": article and {"url": base + article.get_absolute_url(), "slug": article.slug},
        "links": {
            "self": base + instance_path(str(instance.instance_id)),
            "publish": base + reverse("api:publish"),
            "article": base + article.get_absolute_url() if article else None,
        },
    }


def instance_path(instance_id: str) -> str:
    """Return the absolute path at which the API shows the instance."""
    return reverse("api:instance", args=[instance_id])


@dataclass(frozen=True)
class _Run:
    """One instance with what is kept of its steps.

    Attributes:
        records: the outcome that counts, by entry.
        tries: counted attempts without a record, by generation and position.
        costs: micro-dollars by entry; a call with an unknown outcome counts in full.
    """

    instance: Instance
    records: dict[str, StepRecord] = field(default_factory=dict)
    tries: Counter[tuple[int, int]] = field(default_factory=Counter)
    costs: dict[str, int] = field(default_factory=dict)


def _read_run(instance: Instance, brief_id: str) -> _Run:
    return _Run(
        instance=instance,
        records={record.entry: record for record in instance.records.filter(superseded=False)},
        tries=_count_tries(instance),
        costs=costs_by_entry(brief_id),
    )


def _count_tries(instance: Instance) -> Counter[tuple[int, int]]:
    counted = Attempt.objects.filter(instance=instance).exclude(outcome__in=_UNCOUNTED)
    return Counter(counted.values_list("generation", "position"))


def _steps(run: _Run) -> Iterator[dict[str, Any]]:
    for position, entry in enumerate(run.instance.graph.entries):
        if "step" in entry:
            yield _step(run, position, entry.get("name", entry["step"]))


def _step(run: _Run, position: int, name: str) -> dict[str, Any]:
    instance, record = run.instance, run.records.get(name)
    generation = record.generation if record else instance.generation
    is_current = record is None and position == instance.position
    is_running = is_current and instance.status == Status.RUNNING
    tried = run.tries[generation, position] + (1 if record or is_running else 0)
    started_at = record.started_at if record else instance.attempt_started_at
    return {
        "name": name,
        "status": _status(run, position, name),
        "attempts": tried,
        "started_at": _time(started_at) if record or (is_current and tried) else None,
        "finished_at": _time(record.finished_at) if record else None,
        "cost_micros": run.costs.get(name, 0),
        "error": _told(instance.error) if is_current else None,
    }


def _waits(run: _Run) -> Iterator[dict[str, Any]]:
    for position, entry in enumerate(run.instance.graph.entries):
        kind = next((kind for kind in ("wait", "sleep", "until") if kind in entry), None)
        if kind is None:
            continue
        name = entry.get("name", kind)
        record = run.records.get(name)
        is_current = record is None and position == run.instance.position
        yield {
            "name": name,
            "kind": kind,
            "status": _status(run, position, name),
            "until": _time(_end_of_wait(run.instance)) if is_current else None,
            "finished_at": _time(record.finished_at) if record else None,
            "passed": (record.output or {}).get("passed") if record else None,
        }


def _end_of_wait(instance: Instance) -> datetime | None:
    """Return when it goes on at the latest: the wait's own end, which a pause does not move."""
    return instance.deadline_at or instance.wake_at


def _status(run: _Run, position: int, name: str) -> str:
    # A pruned instance has no records, yet it has finished the entries before its position.
    if name in run.records or position < run.instance.position:
        return Status.COMPLETE.label
    if position != run.instance.position or run.instance.status == Status.QUEUED:
        return _PENDING
    return run.instance.get_status_display()


def _told(error: dict[str, Any] | None) -> dict[str, str] | None:
    """Return what may leave the house: a bug's message may hold paths or worse, so it may not."""
    if not error:
        return None
    kind = str(error.get("type", "Error"))
    if "traceback" in error:
        return {"type": kind, "message": "unexpected; operators see the details in the admin"}
    return {"type": kind, "message": str(error.get("message", ""))}


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None
