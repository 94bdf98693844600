"""The shared graph: eight stages, and the standing `wait` and `until` before publish.

An option written as `{"lane": "hue"}` is filled from the lane's own row at dispatch.
"""

from typing import Any

from lanes import review

WORKFLOW = "publish"  # of every lane: a brief_id is used once in all of them

SPINE: list[dict[str, Any]] = [
    {"step": "validate"},
    {"step": "ground"},
    {"step": "generate"},
    {"step": "clean", "options": {"anti_patterns": {"lane": "anti_patterns"}}},
    {"step": "persist"},
    {"step": "index"},
    {"step": "cover", "options": {"hue": {"lane": "hue"}, "folio": {"lane": "title"}}},
    review.ENTRY,
    {"name": "publish_at", "until": "/brief/publish_at"},
    {"step": "publish"},
]
