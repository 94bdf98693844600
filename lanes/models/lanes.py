"""An editorial line: one row, which points at the versions that are in use."""

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models


class Lane(models.Model):
    """An editorial line; idle, it is rows and nothing else."""

    name = models.CharField(
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9_-]*\Z", "Use a-z, 0-9, - and _.")],
        help_text="What routines write in a brief's <code>lane</code>. It cannot change later.",
    )
    title = models.CharField(max_length=60, help_text="Shown to readers.")
    description = models.CharField(max_length=300, blank=True)
    hue = models.PositiveSmallIntegerField(
        default=210,
        validators=[MaxValueValidator(359)],
        help_text="Degrees around the colour wheel: the lane's rule, folio and cover.",
    )
    place = models.PositiveSmallIntegerField(default=0, help_text="Order on the site.")
    closed_because = models.CharField(
        max_length=300,
        blank=True,
        help_text="If set, new briefs are refused with this reason; open instances finish.",
    )
    bundle = models.ForeignKey(
        "Bundle", on_delete=models.PROTECT, null=True, blank=True, related_name="current_of"
    )
    options = models.ForeignKey(
        "LaneOptions", on_delete=models.PROTECT, null=True, blank=True, related_name="current_of"
    )
    graph = models.ForeignKey(
        "LaneGraph",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="current_of",
        help_text="The lane's own graph; none is the spine.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["place", "name"]

    def __str__(self) -> str:
        return self.title
