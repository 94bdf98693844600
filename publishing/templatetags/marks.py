"""The admin's marks as template filters."""

from datetime import timedelta
from typing import Any

from django import template

from lanes.models import Bundle
from publishing.admin import downloads
from publishing.admin.made_with import graph_link
from publishing.admin.marks import (
    lane_mark,
    lane_rule,
    moment,
    money,
    plain_dates,
    plain_money,
    span_words,
    status_mark,
    word_mark,
)
from publishing.admin.verb import current_entry
from workflows.models import Instance

register = template.Library()

register.filter("money", money)
register.filter("moment", moment)
register.filter("status_mark", status_mark)
register.filter("word_mark", word_mark)
register.filter("plain_dates", plain_dates)
register.filter("plain_money", plain_money)
register.filter("lane_rule", lane_rule)
register.filter("graph_link", graph_link)
register.simple_tag(lane_mark, name="lane_mark")


@register.filter
def span(length: timedelta | None) -> str:
    """Return a duration in words, or a dash."""
    return "–" if length is None else span_words(length)


@register.filter
def step_name(instance: Instance) -> str:
    """Return the name of the entry that the instance stands at."""
    return current_entry(instance)


@register.filter
def item(mapping: dict[str, Any], key: str) -> Any:
    """Return a mapping's value under a key that is itself a variable."""
    return mapping.get(key)


@register.filter
def indented(value: Any) -> str:
    """Return a small JSON value as people read it."""
    return downloads.indented(value)


@register.filter
def specs(bundle: Bundle) -> list[tuple[str, str]]:
    """Return a bundle's prose specs with their headings."""
    return [
        ("Voice", bundle.voice),
        ("Audience", bundle.audience),
        ("Brief hints", bundle.brief_hints),
    ]
