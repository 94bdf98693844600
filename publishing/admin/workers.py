"""Drains that stand, and limits on how many instances run at once."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from publishing.admin.base import HouseAdmin, ReadOnlyAdmin
from publishing.admin.marks import moment, shape_mark
from workflows.models import Drain, Limit


@admin.register(Drain)
class DrainAdmin(ReadOnlyAdmin[Drain]):
    """Worker slots with their beats."""

    list_display = ("name", "state", "pid", "threads", "beat", "since")
    ordering = ("-id",)
    fields = ("name", "state", "cluster", "host", "pid", "threads", "beat", "since", "code_version")
    readonly_fields = ("name", "state", "beat", "since")

    @admin.display(description="drain")
    def name(self, obj: Drain) -> str:
        """Return its number and host."""
        return str(obj)

    @admin.display(description="state")
    def state(self, obj: Drain) -> SafeString:
        """Return whether it works."""
        if obj.ended_at:
            word, kind, shape = "ended", "terminated", "■"
        elif obj.lease_until < timezone.now():
            word, kind, shape = "lapsed: taken for dead", "errored", "✕"
        elif obj.leaving:
            word, kind, shape = "leaving", "waiting", "◔"
        else:
            word, kind, shape = "beating", "complete", "✓"
        return shape_mark(word, kind=kind, shape=shape)

    @admin.display(description="last beat", ordering="beat_at")
    def beat(self, obj: Drain) -> SafeString:
        """Return when it last beat."""
        return moment(obj.beat_at)

    @admin.display(description="since", ordering="started_at")
    def since(self, obj: Drain) -> SafeString:
        """Return when it started."""
        return moment(obj.started_at)


@admin.register(Limit)
class LimitAdmin(HouseAdmin[Limit]):
    """How many instances may run at once."""

    list_display = ("partition", "max_running")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Say what a partition is."""
        if db_field.name == "partition":
            kwargs["help_text"] = "A lane's name, or * for everything together."
        return super().formfield_for_dbfield(db_field, request, **kwargs)
