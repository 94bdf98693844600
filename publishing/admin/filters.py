"""Filters of the instance list; none reads the whole table to know its choices."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from lanes.models import Lane
from publishing.admin.dashboard import NEEDS_PERSON
from workflows.models import Instance, Reason, Status


class _InstanceFilter(admin.SimpleListFilter):
    column = ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of the chosen value."""
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


class StatusFilter(_InstanceFilter):
    """By status, and first of all by whether a person is needed."""

    title, parameter_name, column = "status", "status", "status"
    NEEDS, OPEN = "needs-person", "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [
            (self.NEEDS, "needs a person"),
            (self.OPEN, "open: has not ended"),
            *((str(status.value), str(status.label)) for status in Status),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of the chosen status."""
        value = self.value()
        if value == self.NEEDS:
            return queryset.filter(NEEDS_PERSON)
        if value == self.OPEN:
            return queryset.filter(status__lt=Status.ERRORED)
        known = {str(status.value) for status in Status}
        return queryset.filter(status=int(value)) if value in known else queryset


class ReasonFilter(_InstanceFilter):
    """By what a waiting instance waits for."""

    title, parameter_name, column = "waiting for", "reason", "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [(str(reason.value), str(reason.label).lower()) for reason in Reason]


class LaneFilter(_InstanceFilter):
    """By lane; the engine knows it as the partition."""

    title, parameter_name, column = "lane", "partition", "partition"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return list(Lane.objects.values_list("name", "title"))


class CreatedFilter(_InstanceFilter):
    """By how long ago it was created."""

    title, parameter_name, column = "created", "created", "created_at__gte"
    _SPANS = {
        "hour": ("in the last hour", timedelta(hours=1)),
        "day": ("in the last 24 hours", timedelta(days=1)),
        "week": ("in the last 7 days", timedelta(days=7)),
        "month": ("in the last 30 days", timedelta(days=30)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [(value, words) for value, (words, _) in self._SPANS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep what was created since."""
        since = self.since(self.value())
        return queryset.filter(created_at__gte=since) if since else queryset

    @classmethod
    def since(cls, value: str | None, *, now: datetime | None = None) -> datetime | None:
        """Return the moment that a choice begins at, or None for none."""
        chosen = cls._SPANS.get(value or "")
        return (now or timezone.now()) - chosen[1] if chosen else None


class WorkflowFilter(_InstanceFilter):
    """By workflow."""

    title, parameter_name, column = "workflow", "workflow", "workflow"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the workflows that have instances."""
        return [(name, name) for name in _workflows()]


def _workflows() -> Iterator[str]:
    """Yield each workflow once: one index probe for each, however many rows it has."""
    last = ""
    while True:
        rows = Instance.objects.filter(workflow__gt=last).order_by("workflow")
        found = rows.values_list("workflow", flat=True).first()
        if found is None:
            return
        yield found
        last = found
