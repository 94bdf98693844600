"""Lists of instances: one filter for command, admin and bulk operations, and a page's cursor."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from workflows.errors import FilterError
from workflows.models import Instance, Reason, Status, StepGraph, Trigger

PAGE_MAX = 1000


class Filter(BaseModel):
    """Which instances; what is not said does not narrow.

    Attributes:
        status: words of `Status`: queued, running, waiting, paused, errored, terminated, complete.
        reason: what a waiting one waits for; words of `Reason`.
        workflow: a name.
        partition: exactly; for `publish` the lane.
        trigger: words of `Trigger`.
        entry: name of the graph entry that it stands at.
        error: type of its error, such as NonRetryableError.
        created_after, created_before, finished_after, finished_before: moments with their zone.
        ids: whole instance IDs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    workflow: str | None = None
    partition: str | None = None
    trigger: tuple[str, ...] = ()
    entry: str | None = None
    error: str | None = None
    created_after: AwareDatetime | None = None
    created_before: AwareDatetime | None = None
    finished_after: AwareDatetime | None = None
    finished_before: AwareDatetime | None = None
    ids: tuple[str, ...] = ()

    @classmethod
    def parse(cls, **given: Any) -> "Filter":
        """Return the filter of what a person typed; None and empty say nothing.

        Raises:
            FilterError: a word, a moment or a name is not allowed; it says which fit.
        """
        try:
            made = cls(**{name: value for name, value in given.items() if value})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise FilterError(".".join(map(str, first["loc"])), first["msg"]) from None
        made._refuse_unknown("status", [status.label for status in Status])
        made._refuse_unknown("reason", list(Reason.values))
        made._refuse_unknown("trigger", list(Trigger.values))
        return made

    def as_json(self) -> dict[str, Any]:
        """Return what says something, as JSON."""
        return {name: value for name, value in self.model_dump(mode="json").items() if value}

    def instances(self) -> QuerySet[Instance]:
        """Return the instances that it finds, in no order."""
        found = Instance.objects.filter(self._exact())
        if self.status:
            labels = {status.label: status.value for status in Status}
            found = found.filter(status__in=[labels[word] for word in self.status])
        if self.entry:
            found = found.filter(self._stands_at(self.entry))
        return found

    def _exact(self) -> Q:
        conditions = {
            "reason__in": self.reason,
            "workflow": self.workflow,
            "partition": self.partition,
            "trigger__in": self.trigger,
            "error__type": self.error,
            "created_at__gte": self.created_after,
            "created_at__lt": self.created_before,
            "finished_at__gte": self.finished_after,
            "finished_at__lt": self.finished_before,
            "instance_id__in": self.ids,
        }
        return Q(**{name: value for name, value in conditions.items() if value})

    @staticmethod
    def _stands_at(entry: str) -> Q:
        """Match by position: graphs are few, and an index finds their instances."""
        places = Q(pk__in=[])
        for graph in StepGraph.objects.all():
            for position, each in enumerate(graph.entries):
                if entry_name(each) == entry:
                    places |= Q(graph=graph.pk, position=position)
        return places

    def _refuse_unknown(self, name: str, known: list[str]) -> None:
        for word in getattr(self, name):
            if word not in known:
                raise FilterError(name, f"{word!r} is none of {', '.join(known)}")


@dataclass(frozen=True)
class Page:
    """Some instances, newest first.

    Attributes:
        next: the cursor of the next page; None after the last.
    """

    instances: list[Instance]
    next: int | None


def list_instances(filter: Filter, *, after: int | None = None, limit: int = 50) -> Page:  # noqa: A002 - the field's word
    """Return one page, newest first; what is created meanwhile shifts nothing.

    Args:
        filter: which.
        after: the cursor that the page before it gave.
        limit: at most 1,000.
    """
    found = filter.instances().select_related("graph").order_by("-pk")
    if after is not None:
        found = found.filter(pk__lt=after)
    limit = max(1, min(limit, PAGE_MAX))
    rows = list(found[: limit + 1])
    return Page(rows[:limit], rows[limit - 1].pk if len(rows) > limit else None)


def latest_instance_id(workflow: str | None = None) -> str | None:
    """Return the ID of the newest instance, of a workflow if one is named, if there is one."""
    found = Instance.objects.filter(workflow=workflow) if workflow else Instance.objects
    newest = found.order_by("-pk").values_list("instance_id", flat=True).first()
    return str(newest) if newest else None


def entry_name(entry: dict[str, Any]) -> str:
    """Return the name of a stored graph entry."""
    return str(entry.get("name") or entry.get("step") or entry.get("wait"))
