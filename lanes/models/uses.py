"""Which version was put to use when, and by whom: one row each time, never changed."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from lanes.models.lanes import Lane
from lanes.models.versions import Bundle, LaneGraph, LaneOptions


class VersionUse(models.Model):
    """A version was put to use; one that has no such row was only ever a draft.

    Attributes:
        kind: what was put to use; a `graph` that is none is the spine.
    """

    class Kind(models.TextChoices):
        """What a lane has versions of."""

        BUNDLE = "bundle"
        OPTIONS = "options"
        GRAPH = "graph"

    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="uses")
    kind = models.CharField(max_length=7, choices=Kind)
    bundle = models.ForeignKey(Bundle, on_delete=models.CASCADE, null=True, related_name="uses")
    options = models.ForeignKey(
        LaneOptions, on_delete=models.CASCADE, null=True, related_name="uses"
    )
    graph = models.ForeignKey(LaneGraph, on_delete=models.CASCADE, null=True, related_name="uses")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    used_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="bundle", bundle__isnull=False, options=None, graph=None)
                | Q(kind="options", bundle=None, options__isnull=False, graph=None)
                | Q(kind="graph", bundle=None, options=None),
                name="lanes_use_names_its_kind",
            ),
        ]

    def __str__(self) -> str:
        named = getattr(self, self.kind)
        return str(named) if named else f"{self.lane.name} on the spine"
