"""Small marks of the admin's pages: status, lane, money, time. Never an inline style."""

import re
from datetime import UTC, datetime, timedelta

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from workflows.models import Instance, Reason, Status

# A shape for each state, so that none is told by colour alone.
_SHAPES = {
    Status.QUEUED: "○",
    Status.RUNNING: "▶",
    Status.WAITING: "◔",
    Status.PAUSED: "‖",
    Status.ERRORED: "✕",
    Status.TERMINATED: "■",
    Status.COMPLETE: "✓",
}
_WORD_SHAPES = {str(status.label): shape for status, shape in _SHAPES.items()} | {
    "not begun": "·",
    "failed": "✕",
    "timed out": "✕",
    "lost": "✕",
    "interrupted": "‖",
    "parked": "◔",
    "going": "▶",
    "stopped": "■",
    "done": "✓",
}
_WAITS = {
    Reason.RETRY: "to retry",
    Reason.SLEEP: "until its time",
    Reason.EVENT: "for an event",
    Reason.BUDGET: "for budget",
    Reason.BUSY: "for open holds",
    Reason.CALL: "for a call",
    Reason.CODE: "for newer code",
    Reason.OPERATOR: "for an operator",
}
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_MICROS = re.compile(r"(\d+) micro-dollars")
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def status_words(status: int, reason: str | None) -> str:
    """Return the status in words, such as `waiting for budget`."""
    label = str(Status(status).label)
    # A paused one keeps its reason for when it is resumed; it waits for nothing but that.
    return f"{label} {_WAITS[Reason(reason)]}" if reason and status == Status.WAITING else label


def instance_words(instance: Instance) -> str:
    """Return the status in words, with a pause that was asked for."""
    words = status_words(instance.status, instance.reason)
    return f"{words}, pausing after this step" if instance.pause_requested else words


def status_mark(instance: Instance) -> SafeString:
    """Return the status as word, shape and colour."""
    status = Status(instance.status)
    words = instance_words(instance)
    return shape_mark(words, kind=str(status.label), shape=_SHAPES[status])


def word_mark(word: str) -> SafeString:
    """Return the state of an entry, or the outcome of an attempt, in the same way."""
    return shape_mark(word, kind=word.replace(" ", "-"), shape=_WORD_SHAPES[word])


def shape_mark(words: str, *, kind: str, shape: str) -> SafeString:
    """Return words with a shape that readers are not told, in the colour of a kind."""
    return format_html(
        '<span class="state state-{}"><span aria-hidden="true">{}</span> {}</span>',
        kind,
        shape,
        words,
    )


def lane_mark(title: str, hue: int | None) -> SafeString:
    """Return a lane's title with its rule; the colour is an attribute, which the CSP allows."""
    if hue is None:
        return format_html('<span class="lane">{}</span>', title)
    return format_html('<span class="lane">{} {}</span>', lane_rule(hue), title)


def lane_rule(hue: int) -> SafeString:
    """Return the lane's rule alone: one lightness and chroma, its own hue."""
    return format_html(
        '<svg class="lane-rule" width="4" height="16" aria-hidden="true">'
        '<rect width="4" height="16" fill="oklch(0.52 0.13 {})"/></svg>',
        int(hue),
    )


def money(micros: int | None) -> str:
    """Return dollars of micro-dollars: cents, and as many more places as are needed."""
    if not micros:
        return "$0"
    dollars = f"{micros / 1_000_000:.6f}".rstrip("0")
    whole, _, fraction = dollars.partition(".")
    return f"${int(whole):,}.{fraction.ljust(2, '0')}"


def span_words(span: timedelta) -> str:
    """Return a duration in its two largest units: `2 h 5 min`, `3.2 s`, `40 ms`."""
    seconds = max(0.0, span.total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    left = round(seconds)
    parts: list[str] = []
    for size, unit in _UNITS:
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts)


def moment(at: datetime | None, *, now: datetime | None = None) -> SafeString:
    """Return a time as its age, with the exact one on hover and for readers."""
    if at is None:
        return SafeString("–")
    away = (now or timezone.now()) - at
    words = f"{rough_words(away)} ago" if away >= timedelta(0) else f"in {rough_words(-away)}"
    exact = exact_words(at)
    return format_html(
        '<time datetime="{}" title="{}">{}<span class="for-readers"> ({})</span></time>',
        at.isoformat(timespec="seconds"),  # HTML takes three digits after the second, not six
        exact,
        "now" if abs(away) < timedelta(seconds=1) else words,
        exact,
    )


def exact_words(at: datetime) -> str:
    """Return a moment to the second: `2026-11-23 15:44:45 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def plain_dates(text: str) -> str:
    """Return a line of the log with its ISO 8601 moments written as everywhere else."""
    return _ISO.sub(lambda found: exact_words(datetime.fromisoformat(found[0])), text)


def plain_money(text: str) -> str:
    """Return a message with its micro-dollars as dollars."""
    return _MICROS.sub(lambda found: money(int(found[1])), text)


def rough_words(span: timedelta) -> str:
    """Return a duration in its largest unit alone: `2 h`; never less than a second."""
    seconds = int(span.total_seconds())
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "1 s"
