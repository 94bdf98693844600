"""Verbs for many instances at once: a page that counts what applies, then one verb for each."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from publishing.admin.verbs import (
    WhyForm,
    applies_to_retry,
    applies_to_terminate,
    do_many,
)
from workflows.models import Instance
from workflows.verbs import retry, terminate

MANY_MOST = 1000  # instances a confirmation; more at once is a matter for the command line
NAMED_MOST = 5  # refusals quoted in the message; the rest is counted


class BulkVerbs:
    """The two actions of the instance list."""

    admin_site: Any
    opts: Any
    message_user: Any

    @admin.action(description="Retry failed step", permissions=["change"])
    def retry_selected(
        self, request: HttpRequest, queryset: QuerySet[Instance]
    ) -> TemplateResponse | None:
        """Confirm, then retry each."""
        return self._many(
            request, queryset, "retry_selected", "Retry failed step", applies_to_retry, retry
        )

    @admin.action(description="Terminate", permissions=["change"])
    def terminate_selected(
        self, request: HttpRequest, queryset: QuerySet[Instance]
    ) -> TemplateResponse | None:
        """Confirm, then terminate each."""
        return self._many(
            request, queryset, "terminate_selected", "Terminate", applies_to_terminate, terminate
        )

    def _many(
        self,
        request: HttpRequest,
        queryset: QuerySet[Instance],
        action: str,
        title: str,
        applies: Callable[[Instance], bool],
        verb: Callable[..., bool],
    ) -> TemplateResponse | None:
        rows = list(queryset[: MANY_MOST + 1])
        if len(rows) > MANY_MOST:
            text = f"At most {MANY_MOST} at a time; narrow the list by a filter. Nothing changed."
            self.message_user(request, text, messages.ERROR)
            return None
        form = WhyForm(request.POST if "confirmed" in request.POST else None)
        if form.is_valid():
            actor = request.user.get_username()
            done, refused = do_many(rows, verb, actor=actor, why=form.cleaned_data["why"])
            self._report(request, title, done, refused)
            return None
        return TemplateResponse(
            request,
            "admin/workflows/instance/many.html",
            {
                **self.admin_site.each_context(request),
                "title": f"{title}?",
                "opts": self.opts,
                "action": action,
                "verb_title": title,
                "checkbox": ACTION_CHECKBOX_NAME,
                "chosen": rows,
                "applying": [row for row in rows if applies(row)],
                "left": [row for row in rows if not applies(row)],
                "form": form,
            },
        )

    def _report(
        self, request: HttpRequest, title: str, done: list[str], refused: list[str]
    ) -> None:
        if done:
            self.message_user(request, f"{title}: done for {len(done)}.", messages.SUCCESS)
        if refused:
            named = "; ".join(refused[:NAMED_MOST])
            more = len(refused) - NAMED_MOST
            named += f"; and {more} more" if more > 0 else ""
            text = f"{title}: {len(refused)} left as they were. {named}."
            self.message_user(request, text, messages.WARNING)
