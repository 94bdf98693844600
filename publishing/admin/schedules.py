"""Schedules: workflows that start at set times; the engine proves each before it is kept."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from publishing.admin.base import HouseAdmin
from publishing.admin.downloads import indented
from publishing.admin.marks import moment, shape_mark
from publishing.admin.verb_forms import JsonText
from workflows.errors import WorkflowError
from workflows.models import Instance, Schedule, Trigger
from workflows.registry import all_workflows
from workflows.schedules import save_schedule

STARTED_SHOWN = 10
FIELDS = ("name", "workflow", "cron", "partition", "is_on")

if TYPE_CHECKING:
    _ScheduleModelForm = forms.ModelForm[Schedule]
else:
    _ScheduleModelForm = forms.ModelForm


class ScheduleForm(_ScheduleModelForm):
    """What is started when; whether it fits is for `save_schedule` to say."""

    workflow = forms.ChoiceField()
    partition = forms.CharField(
        required=False,
        max_length=60,
        help_text="Of the instances, for limits; empty is the workflow's name.",
    )
    entries = JsonText(
        rows=8, label="Graph", help_text='A list of entries, as JSON: <code>[{"step": "…"}]</code>.'
    )
    envelope = JsonText(
        rows=5,
        required=False,
        help_text="JSON that each instance is started with; <code>scheduled_at</code> is added.",
    )

    class Meta:
        model = Schedule
        fields = FIELDS
        help_texts = {
            "name": "a-z, 0-9 and _; a part of the IDs: <code>{workflow}-{name}-{time}</code>.",
            "cron": "Minute, hour, day, month, weekday, in UTC: <code>15 3 * * *</code>.",
            "is_on": "Off starts nothing. Of the times missed, the last alone is made up for.",
        }
        labels = {"is_on": "On"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [workflow.name for workflow in all_workflows() if workflow.schedulable]
        kept = [self.instance.workflow] if self.instance.pk else []
        self.fields["workflow"].choices = [(n, n) for n in dict.fromkeys([*kept, *names])]  # type: ignore[attr-defined]
        if self.instance.pk:
            self.initial["entries"] = indented(self.instance.entries)
            self.initial["envelope"] = indented(self.instance.envelope)

    def clean(self) -> dict[str, Any]:
        """Have the engine prove it, and take that back: only a save saves."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        if not isinstance(cleaned["entries"], list):
            self.add_error("entries", "A graph is a list of entries.")
        elif not isinstance(cleaned["envelope"] or {}, dict):
            self.add_error("envelope", "An envelope is an object: {…}.")
        else:
            try:
                with transaction.atomic():
                    self.keep()
                    transaction.set_rollback(True)
            except WorkflowError as error:
                self.add_error(None, f"{error}; nothing was saved")
        return cleaned

    def keep(self) -> Schedule:
        """Save what was typed."""
        given = self.cleaned_data
        return save_schedule(
            given.get("name") or self.instance.name,
            workflow=given["workflow"],
            cron=given["cron"],
            entries=given["entries"],
            envelope=given["envelope"],
            partition=given["partition"],
            is_on=given["is_on"],
        )


@admin.register(Schedule)
class ScheduleAdmin(HouseAdmin[Schedule]):
    """Every save is the engine's own; a refusal stands at the form, and nothing is kept."""

    form = ScheduleForm
    change_form_template = "admin/workflows/schedule/form.html"
    list_display = ("name", "workflow", "cron", "state", "next_run", "last_run", "started")
    ordering = ("name",)
    actions = ("turn_on", "turn_off")
    fields = ("name", "workflow", "cron", "is_on", "partition", "entries", "envelope")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep the name once it is given: it is a part of IDs."""
        return ("name",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Schedule, form: Any, change: Any) -> None:
        """Save by the engine's function, which also finds the next time."""
        obj.pk = form.keep().pk

    @admin.action(description="Turn on", permissions=["change"])
    def turn_on(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        """Let each start what is due from now on."""
        self._turn(request, queryset, is_on=True)

    @admin.action(description="Turn off", permissions=["change"])
    def turn_off(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        """Let none of them start anything."""
        self._turn(request, queryset, is_on=False)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
                           ) -> HttpResponse:  # fmt: skip
        """Show the next and the last run, and what was started."""
        schedule = kwargs.get("obj")
        context |= {"schedule": schedule, "started": _started(schedule) if schedule else []}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="state", ordering="is_on")
    def state(self, obj: Schedule) -> SafeString:
        """Return whether it starts anything."""
        if obj.is_on:
            return shape_mark("on", kind="complete", shape="✓")
        return shape_mark("off", kind="paused", shape="‖")

    @admin.display(description="next run", ordering="next_at")
    def next_run(self, obj: Schedule) -> SafeString:
        """Return when it starts something next."""
        return moment(obj.next_at if obj.is_on else None)

    @admin.display(description="last run", ordering="last_at")
    def last_run(self, obj: Schedule) -> SafeString:
        """Return when it was due last."""
        return moment(obj.last_at)

    @admin.display(description="started")
    def started(self, obj: Schedule) -> SafeString:
        """Return a link to what it started."""
        listed = reverse("admin:workflows_instance_changelist")
        url = f"{listed}?workflow={obj.workflow}&q={obj.workflow}-{obj.name}-"
        return format_html('<a href="{}">instances</a>', url)

    def _turn(self, request: HttpRequest, queryset: QuerySet[Schedule], *, is_on: bool) -> None:
        word, done = "on" if is_on else "off", []
        for row in queryset:
            try:
                save_schedule(
                    row.name, workflow=row.workflow, cron=row.cron, entries=row.entries,
                    envelope=row.envelope, partition=row.partition, is_on=is_on,
                )  # fmt: skip
            except WorkflowError as error:
                self.message_user(request, f"{error}; nothing changed", messages.ERROR)
            else:
                done.append(row.name)
        if done:
            self.message_user(request, f"Turned {word}: {', '.join(done)}.", messages.SUCCESS)


def _started(schedule: Schedule) -> list[Instance]:
    """Return the newest instances that it started."""
    mine = Instance.objects.filter(
        workflow=schedule.workflow, key__startswith=f"{schedule.name}-", trigger=Trigger.SCHEDULE
    )
    return list(mine.select_related("graph").order_by("-created_at")[:STARTED_SHOWN])
