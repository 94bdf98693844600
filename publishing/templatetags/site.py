"""What the readers' pages say in many places: lanes, their colours, dates' kin, pictures."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.urls import reverse

from lanes.models import Lane
from publishing.site import bylines, covers, lane_colours, publication

register = template.Library()
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@register.simple_tag
def all_lanes() -> list[Lane]:
    """Return the lanes in the order of the site."""
    return list(Lane.objects.all())


@register.simple_tag
def lanes_css(lanes: list[Lane]) -> str:
    """Return the address of the lanes' stylesheet."""
    return f"{reverse('site:lanes_css')}?v={lane_colours.version(lanes)}"


@register.simple_tag
def publication_name() -> str:
    """Return what the publication is called."""
    return publication.NAME


@register.simple_tag
def publication_about() -> str:
    """Return what the publication is, in two sentences."""
    return publication.ABOUT


@register.filter
def desks(lanes: list[Lane]) -> str:
    """Return the number of lanes in words: `eight desks`."""
    count = len(lanes)
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    return f"{number} desk" if count == 1 else f"{number} desks"


@register.filter
def minutes(words: int) -> int:
    """Return the reading time of so many words, in minutes."""
    return bylines.minutes_to_read(words)


@register.filter
def stamp(at: datetime) -> str:
    """Return a moment for machines, to the second; HTML takes no microseconds."""
    return at.isoformat(timespec="seconds")


@register.filter
def picture(cover: Mapping[str, Any] | None) -> covers.Picture | None:
    """Return the picture of an article's cover."""
    return covers.picture_of(cover)
