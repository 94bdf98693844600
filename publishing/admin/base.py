"""What our admin pages share: typed bases, read-only models, lists that stay fast."""

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

ModelT = TypeVar("ModelT", bound=Model)
# Rows of a list that are counted: who looks for something filters, and does not leaf on for ever.
COUNTED_TO = 5_000

if TYPE_CHECKING:

    class HouseAdmin(admin.ModelAdmin[ModelT]):
        """A model's pages."""

else:

    class HouseAdmin(admin.ModelAdmin, Generic[ModelT]):
        """A model's pages."""


class EstimatingPaginator(Paginator):  # type: ignore[type-arg]
    """Counts a whole large table by the planner's estimate, a filtered one as far as one leafs."""

    @cached_property
    def count(self) -> int:
        """Return how many rows there are, or about how many."""
        rows = cast("QuerySet[Model]", self.object_list)
        if not rows.query.where:
            estimate = _estimate(rows.query.get_initial_alias())
            if estimate > COUNTED_TO:
                return estimate
        # Without the joins and sums that only a row shows.
        return int(rows.order_by().values("pk")[:COUNTED_TO].count())


class ReadOnlyAdmin(HouseAdmin[ModelT]):
    """Rows that this admin shows and never edits; whoever may change them sees them too."""

    show_full_result_count = False
    list_per_page = 50
    paginator = EstimatingPaginator

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds one here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits one here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes one here."""
        return False


def _estimate(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select reltuples::bigint from pg_class where oid = %s::regclass", [table])
        return int(cursor.fetchone()[0])
