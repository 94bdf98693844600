"""Bulk operations as the instance list orders them: over the list's own filters, once a form."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core import signing
from django.db import transaction
from django.utils import timezone

from publishing.admin.filters import CreatedFilter, StatusFilter
from workflows.bulk import BulkVerb, start_bulk
from workflows.errors import FilterError
from workflows.listing import Filter
from workflows.models import BulkOperation, Status, Trigger

FORM_LASTS = timedelta(hours=12)
_SALT = "admin.bulk_orders"
_IGNORED = {"o", "p", "e", "all", "_facets", "_changelist_filters"}  # order and page of the list
_SAME = {"reason", "workflow", "partition"}  # of the list and of a filter alike


def read_filter(query: Mapping[str, str], *, now: datetime) -> Filter:
    """Return the filter that the list's address asks for.

    Args:
        query: of the list's address.
        now: from which spans such as “in the last hour” are counted back.

    Raises:
        FilterError: a part of it cannot be a bulk operation; it says what to do.
    """
    asked: dict[str, Any] = {}
    for name, value in query.items():
        if not value or name in _IGNORED:
            continue
        if name == "q":
            raise FilterError(
                "search", "a bulk operation takes no search text: filter, or tick rows page by page"
            )
        if name in _SAME:
            asked[name] = (value,) if name == "reason" else value
        elif name == "status":
            asked[name] = (_status(value),)
        elif name == "created":
            asked["created_after"] = _since(value, now)
        else:
            raise FilterError(name, "a bulk operation does not know this filter: take it away")
    return Filter.parse(**asked)


def stamp() -> str:
    """Return what a form carries, so that it orders once however often it is sent."""
    return signing.dumps(timezone.now().isoformat(), salt=_SALT)


def shown_at(stamped: str) -> datetime:
    """Return when the form was shown.

    Raises:
        BadSignature: the form is not ours, or too old.
    """
    return datetime.fromisoformat(signing.loads(stamped, salt=_SALT, max_age=FORM_LASTS))


@transaction.atomic
def order_once(
    verb: BulkVerb, chosen: Filter, *, user: Any, why: str, shown: datetime
) -> tuple[BulkOperation, bool]:
    """Order the operation; return it, and False if this form had ordered it before."""
    actor = user.get_username()
    # One order at a time of one person: a second click waits here, and then finds the first.
    get_user_model().objects.select_for_update().get(pk=user.pk)
    before = BulkOperation.objects.filter(
        actor=actor,
        verb=verb.name,
        parameters=asdict(verb),
        filter=chosen.as_json(),
        created_at__gte=shown,
    ).first()
    if before is not None:
        return before, False
    return start_bulk(verb, chosen, actor=actor, why=why, trigger=Trigger.ADMIN), True


def _status(value: str) -> str:
    labels = {str(status.value): str(status.label) for status in Status}
    if value in labels:
        return labels[value]
    if value == StatusFilter.NEEDS:
        raise FilterError(
            "status",
            "“needs a person” is several states at once: filter by errored, or by waiting for "
            "an operator or for budget, and order each",
        )
    raise FilterError("status", f"{value!r} is no status")


def _since(value: str, now: datetime) -> datetime:
    since = CreatedFilter.since(value, now=now)
    if since is None:
        raise FilterError("created", f"{value!r} is no span of the list")
    return since
